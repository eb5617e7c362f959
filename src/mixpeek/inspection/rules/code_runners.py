"""Against modules of the standard library that run the code they are given as text."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.code_runners",
    (
        "timeit.timeit",
        "timeit.repeat",
        "timeit.Timer",
        "timeit.main",
        "cProfile.run",
        "cProfile.runctx",
        "cProfile.Profile.run",
        "profile.run",
        "profile.runctx",
        "pdb",
        "bdb",
        "trace.Trace",
        "doctest",
        "idlelib",
        "builtins.breakpoint",
        "sys.breakpointhook",
        "dataclasses._create_fn",
        "lib2to3",
        "typing._eval_type",
        "pandas.core.computation",
        "numpy.testing.runstring",
        "numpy.testing.rundocs",
        "numpy.f2py",
        "jinja2.nativetypes",
    ),
    summary="`timeit`, `cProfile`, `pdb`, `doctest`, `breakpoint` and others run text as code",
    reason="runs text as code, or a debugger",
    hint="Call the function itself; leave measuring and debugging out of the published code",
    offending=(
        "import timeit\ntimeit.timeit('work()')",
        "import cProfile\ncProfile.run('work()')",
        "breakpoint()",
    ),
    harmless=(
        "import timeit\ntimeit.default_timer()",
        "import time\ntime.perf_counter()",
        "model.profile.run('x')",
    ),
)
