"""Against walking through all loaded modules."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.loaded_modules",
    (
        "sys.modules.values",
        "sys.modules.items",
        "sys.modules.copy",
        "sys.modules.__iter__",
    ),
    summary="Walking through `sys.modules` reaches every loaded module",
    reason="reaches every module that is loaded, past imports",
    hint="Import what you need by name",
    offending=("import sys\nfor module in sys.modules.values():\n    print(module)",),
    harmless=("import sys\nsys.modules[__name__]\n'json' in sys.modules",),
)
