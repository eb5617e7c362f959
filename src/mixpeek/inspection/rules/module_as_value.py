"""Against handing on a powerful module as a value, where no name can follow it."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot


def _check(module: Module) -> Iterator[Spot]:
    if not module.reading.loose:
        return
    computed = {id(part) for node, _ in module.reading.computed.values() for part in (getattr(node, "value", node),)}
    for key, (node, name) in module.reading.loose.items():
        if key not in computed | module.asked_about:
            yield node, f"`{name}` is handed on as a value, so what is used of it cannot be checked"


RULE = Rule(
    "security.module_as_value",
    Severity.WARNING,
    "`os`, `builtins` or `importlib` handed on as a value hides what is used of it",
    "Use the module by its name, as in `os.environ`, and hand on what you need of it",
    offending=(
        "import os\nwork(os)",
        "import os\ntools = {'o': os}\ntools['o'].system('ls')",
        "import builtins\nmodules = [builtins]",
        "import os\nself.os = os",
    ),
    harmless=(
        "import os\nhasattr(os, 'fork')\ngetattr(os, 'environ')",
        "import os as o\npath = o\npath.getcwd()",
        "import os\nwork(os.environ)",
        "import json\nwork(json)",
    ),
    check=_check,
)
