"""Against looking into other functions while they run, and through all objects in memory."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.frames",
    (
        "sys._getframe",
        "sys._current_frames",
        "sys._current_exceptions",
        "sys._getframemodulename",
        "inspect.currentframe",
        "inspect.stack",
        "inspect.trace",
        "inspect.getouterframes",
        "inspect.getinnerframes",
        "inspect.getclosurevars",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
        "traceback.walk_stack",
        "traceback.walk_tb",
    ),
    summary="`sys._getframe`, `inspect.stack`, `gc.get_objects` and others reach other code's variables",
    reason="reaches the variables of other code",
    hint="Pass what a function needs as a parameter",
    offending=(
        "import sys\nsys._getframe(1)",
        "from inspect import currentframe",
        "import gc\ngc.get_objects()",
    ),
    harmless=(
        "import gc\ngc.collect()",
        "import inspect\ninspect.signature(f)",
        "import traceback\ntraceback.format_exc()",
    ),
)
