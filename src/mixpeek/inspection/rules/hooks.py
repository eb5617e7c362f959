"""Against functions that the interpreter calls by itself."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.hooks",
    (
        "atexit",
        "sys.settrace",
        "sys.setprofile",
        "sys.addaudithook",
        "sys.set_asyncgen_hooks",
        "sys.set_coroutine_origin_tracking_depth",
        "sys.monitoring",
        "threading.settrace",
        "threading.setprofile",
        "threading.settrace_all_threads",
        "threading.setprofile_all_threads",
        "faulthandler.register",
    ),
    summary="`atexit`, `sys.settrace` and others have the interpreter call functions by itself",
    reason="has the interpreter call code behind the platform's back",
    hint="Do the work in the step itself; free what a processor holds in its own method",
    offending=(
        "import atexit\natexit.register(work)",
        "import sys\nsys.settrace(work)",
    ),
    harmless=(
        "self.atexit()",
        "import weakref\nweakref.ref(model)",
        "import sys\nsys.getsizeof(model)",
    ),
)
