"""Against changing where Python looks for modules."""

from __future__ import annotations

from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot

_CHANGES = ("append", "insert", "extend", "remove", "pop", "clear", "reverse", "sort", "__setitem__", "__iadd__")


def _check(module: Module) -> Iterator[Spot]:
    for target, _, scope in module.reading.scoped.stores:
        owners = {dotted for dotted, _ in module.reading.meanings(target.value, scope)}
        attribute = getattr(target, "attr", None)
        if "sys.path" in owners or ("sys" in owners and attribute in ("path", "meta_path", "path_hooks", "modules")):
            yield target, "`sys.path` decides which code an import finds, and is changed here"


RULE = Rule(
    "security.sys_path",
    Severity.WARNING,
    "Changing `sys.path` makes imports find other code than was checked",
    "Import modules of the plugin with a dot, as in `from .processors import core`",
    offending=(
        "import sys\nsys.path.append('/tmp')",
        "import sys\nsys.path[:0] = ['/tmp']",
        "import sys\nsys.path += ['/tmp']",
        "from sys import path\npath.insert(0, '/tmp')",
    ),
    harmless=("import sys\nprint(sys.path)", "import os\nos.path.join('a', 'b')", "self.path.append('x')"),
    things=frozenset(f"sys.path.{change}" for change in _CHANGES),
    reason="makes imports find other code than was checked",
    check=_check,
)
