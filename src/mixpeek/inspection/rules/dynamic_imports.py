"""Rules against imports whose target is chosen while the plugin runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Finding, Severity, warning
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import constant_text
from mixpeek.inspection.rules.base import Rule, forbid

_HINT = "Import by name: `import package`, inside a function if it must wait"


def _computed_import(module: Module) -> Iterator[Finding]:
    importers = {reference.node for reference in module.references if reference.dotted == "importlib.import_module"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and node.func in importers and constant_text(_target(node)) is None:
            line, column = module.position(node)
            yield warning(
                "security.computed_import",
                "The imported module is chosen at run time, so it cannot be checked",
                path=module.path,
                line=line,
                column=column,
                hint=_HINT,
            )


def _target(call: ast.Call) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    return call.args[0] if call.args else (named[0] if named else None)


RULES = (
    forbid(
        "security.dunder_import",
        ("builtins.__import__", "importlib.__import__"),
        summary="`__import__` imports what cannot be known beforehand",
        reason="imports what cannot be known beforehand",
        hint=_HINT,
    ),
    Rule(
        "security.computed_import",
        Severity.WARNING,
        "importlib.import_module with a computed name cannot be checked",
        _computed_import,
    ),
)
