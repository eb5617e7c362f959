"""Against the ways past names: the inside of functions, classes and frames."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import GETTERS
from mixpeek.inspection.rules.base import Rule, Spot

INSIDES = frozenset(
    {"__subclasses__", "__globals__", "__builtins__", "__code__", "__closure__", "cell_contents", "__loader__",
     "__reduce_ex__", "f_globals", "f_builtins", "f_locals", "f_back", "f_code", "tb_frame", "gi_frame", "cr_frame",
     "ag_frame", "gi_code", "cr_code", "ag_code", "func_globals", "func_code"}
)  # fmt: skip
_NAMES = frozenset({"builtins.__loader__", "builtins.__spec__.loader"})


def _check(module: Module) -> Iterator[Spot]:
    reading = module.reading
    for node in _attributes(module):
        if node.attr in INSIDES:
            yield node, _message(node.attr)
    for pattern in reading.scoped.patterns:
        for name in INSIDES.intersection(pattern.kwd_attrs):
            yield pattern, _message(name)
    for reference in reading.references_to(_NAMES):
        yield reference.node, _message(reference.dotted.removeprefix("builtins."))
    for reference in reading.references_to(("builtins",)):
        if isinstance(reference.node, ast.Name) and reference.node.id == "__builtins__":
            yield reference.node, _message("__builtins__")
    for call in reading.calls:
        if not GETTERS.isdisjoint(call.functions) and len(call.node.args) > 1:
            text = reading.text(call.node.args[1], call.scope)
            if text in INSIDES:
                yield call.node, _message(text)


def _attributes(module: Module) -> Iterator[ast.Attribute]:
    """Return every attribute read or written, if the source has one of the names at all."""
    # In plain ASCII a name stands as it is; in other letters it may look different.
    if not module.source.isascii() or any(name.encode() in module.source for name in INSIDES):
        scoped = module.reading.scoped
        for node in (*(node for node, _ in scoped.expressions), *(target for target, _, _ in scoped.stores)):
            if isinstance(node, ast.Attribute):
                yield node


def _message(name: str) -> str:
    return f"`{name}` reaches names past imports, which cannot be checked"


RULE = Rule(
    "security.insides",
    Severity.WARNING,
    "`__subclasses__`, `__globals__`, `__code__`, `f_back`, `__loader__` and others reach names past imports",
    "Import what you need by name",
    offending=(
        "().__class__.__base__.__subclasses__()",
        "f.__globals__['os']",
        "getattr(f, '__glo' + 'bals__')",
        "match f:\n    case object(__globals__=names):\n        names['os']",
        "__loader__.load_module('os')",
    ),
    harmless=("self.__class__.__name__", "f.__name__\nf.__doc__", "text = '__globals__'", "cls.__mro__"),
    check=_check,
)
