"""Rules against the ways around names: attributes computed at run time, and the inside of functions and classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Finding, Severity, warning
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import constant_text
from mixpeek.inspection.rules.base import Rule

# Modules of which some attributes are forbidden, so that a computed one matters.
_PARTLY_FORBIDDEN = frozenset({"os", "posix", "builtins", "importlib", "sys.modules"})
_INSIDES = frozenset({"__subclasses__", "__globals__", "__builtins__", "f_globals", "f_builtins", "__code__"})


def _computed_attribute(module: Module) -> Iterator[Finding]:
    meanings: dict[ast.expr | ast.alias, set[str]] = {}
    for reference in module.references:
        meanings.setdefault(reference.node, set()).add(reference.dotted)
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Call) and "builtins.getattr" in meanings.get(node.func, ())):
            continue
        owners = meanings.get(node.args[0], set()) & _PARTLY_FORBIDDEN if len(node.args) > 1 else set()
        if owners and constant_text(node.args[1]) is None:
            line, column = module.position(node)
            yield warning(
                "security.computed_attribute",
                f"An attribute of `{min(owners)}` is chosen at run time, so it cannot be checked",
                path=module.path,
                line=line,
                column=column,
                hint="Write the attribute's name, as in `os.environ`",
            )


def _insides(module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in _INSIDES:
            line, column = module.position(node)
            yield warning(
                "security.insides",
                f"`{node.attr}` reaches names past imports, which cannot be checked",
                path=module.path,
                line=line,
                column=column,
                hint="Import what you need by name",
            )


RULES = (
    Rule(
        "security.computed_attribute",
        Severity.WARNING,
        "getattr on os, builtins or importlib with a computed name cannot be checked",
        _computed_attribute,
    ),
    Rule(
        "security.insides",
        Severity.WARNING,
        f"{', '.join(sorted(_INSIDES))} reach names past imports",
        _insides,
    ),
)
