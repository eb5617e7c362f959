"""Against setting and deleting attributes by computed name, except of the object itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot

_SETTERS = frozenset(
    {"builtins.setattr", "builtins.delattr", "builtins.object.__setattr__", "builtins.object.__delattr__",
     "builtins.type.__setattr__", "builtins.type.__delattr__"}
)  # fmt: skip
_ITSELF = frozenset({"self", "cls"})


def _check(module: Module) -> Iterator[Spot]:
    on_itself = {
        id(call.node.func)
        for call in module.reading.calls
        if call.node.args
        and isinstance(call.node.args[0], ast.Name)
        and call.node.args[0].id in _ITSELF
        # Only a parameter is the object itself, whatever else may be called so.
        and (home := call.scope.home(call.node.args[0].id)) is not None
        and home.kind == "function"
        and home.bindings[call.node.args[0].id] == [None]
    }
    followed = module.reading.scoped.followed
    for reference in module.reading.references_to(_SETTERS):
        if id(reference.node) not in on_itself and id(reference.node) not in followed:
            name = reference.dotted.removeprefix("builtins.")
            yield reference.node, f"`{name}` changes an object under a name that cannot be checked"


RULE = Rule(
    "security.setattr",
    Severity.WARNING,
    "`setattr` and `delattr` change objects under names that cannot be checked; on `self` and `cls` they are fine",
    "Assign by name, as in `row.score = 1`, or keep the values in a dict",
    offending=(
        "setattr(model, name, value)",
        "import os\ndelattr(os, 'environ')",
        "put = object.__setattr__\nput(row, 'x', 1)",
        "self = model\nsetattr(self, name, 1)",
    ),
    harmless=(
        "class A:\n    def f(self, name):\n        setattr(self, name, 1)",
        "class A:\n    def f(self):\n        object.__setattr__(self, 'x', 1)",
        "row.setattr('x', 1)",
    ),
    check=_check,
)
