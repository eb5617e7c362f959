"""Against imports whose target is chosen while the plugin runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import argument
from mixpeek.inspection.rules.base import Rule, Spot

_IMPORTERS = frozenset({"importlib.import_module", "pkgutil.resolve_name", "pydoc.locate", "pydoc.safeimport"})
_MESSAGE = "The imported module is chosen at run time, so it cannot be checked"


def _check(module: Module) -> Iterator[Spot]:
    called: set[int] = set()
    for call in module.reading.calls:
        if not _IMPORTERS.isdisjoint(call.functions):
            called.add(id(call.node.func))
            if module.reading.text(argument(call.node, 0, "name"), call.scope) is None:
                yield call.node, _MESSAGE
    for reference in module.reading.references_to(_IMPORTERS):
        handed_on = isinstance(reference.node, ast.expr) and id(reference.node) not in module.reading.scoped.followed
        if handed_on and id(reference.node) not in called | module.asked_about:
            yield reference.node, _MESSAGE


RULE = Rule(
    "security.computed_import",
    Severity.WARNING,
    "`importlib.import_module` with a computed name cannot be checked",
    "Import by name: `import package`, inside a function if it must wait",
    offending=(
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nlist(map(import_module, names))",
    ),
    harmless=(
        "import importlib\nimportlib.import_module('json')",
        "from importlib import import_module\nload = import_module\nload(name='numpy')",
        "loader.import_module(name)",
    ),
    check=_check,
)
