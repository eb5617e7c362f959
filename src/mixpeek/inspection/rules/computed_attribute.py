"""Against attributes of powerful modules that are chosen at run time."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import GLOBALS
from mixpeek.inspection.rules.base import Rule, Spot

# Modules of which some attributes are forbidden, so that a computed one matters.
_PARTLY_FORBIDDEN = frozenset({"os", "posix", "nt", "builtins", "importlib", "sys", "operator", "types", "asyncio"})


def _check(module: Module) -> Iterator[Spot]:
    for node, owner in module.reading.computed.values():
        name = owner.removesuffix(".__dict__")
        if owner == "sys.modules":
            yield node, "A loaded module is chosen at run time, so it cannot be checked"
        elif owner == GLOBALS:
            yield node, "A global name is chosen at run time, so it cannot be checked"
        elif name in _PARTLY_FORBIDDEN:
            yield node, f"An attribute of `{name}` is chosen at run time, so it cannot be checked"


RULE = Rule(
    "security.computed_attribute",
    Severity.WARNING,
    "Attributes of `os`, `builtins`, `sys` or `importlib` with a computed name cannot be checked",
    "Write the name out, as in `os.environ`",
    offending=(
        "import os\ngetattr(os, name)",
        "import builtins as b\nvars(b)[name + 'l']",
        "import sys\nsys.modules[name]",
        "globals()[name]()",
    ),
    harmless=("getattr(model, name)", "import os\ngetattr(os, 'environ')", "import sys\nsys.modules[__name__]"),
    check=_check,
)
