"""What an expression refers to, as a dotted name: `o.system` after `import os as o` is `os.system`.

Follows imports, aliases, constant `getattr`, `import_module` and the module dictionaries; runs nothing, and gives up
(no name) rather than guess.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from mixpeek.inspection.scopes import Assigned, Imported, Scope, ScopedModule

# Modules that others of the standard library hold as attributes, so `shutil.os.system` is `os.system`.
_HELD_BY_OTHERS = frozenset(
    {"os", "subprocess", "socket", "socketserver", "ctypes", "builtins", "sys", "importlib", "multiprocessing"}
)
_BUILTINS = frozenset(dir(builtins))
_GLOBALS = "globals()"
_MAX_DEPTH = 40
_MAX_MEANINGS = 8
_IMPORTERS = ("importlib.import_module", "importlib.__import__", "builtins.__import__")


@dataclass(frozen=True)
class Meaning:
    """One thing an expression may refer to.

    ``dotted`` is its full name. ``bound`` is what the name at the left end was bound to by an import or assignment
    elsewhere, so that a forbidden thing is reported where it was taken and not at every use; None without such a name.
    """

    dotted: str
    bound: str | None = None

    def attribute(self, name: str) -> Meaning:
        """Return the meaning of an attribute of this."""
        if self.dotted in ("builtins.__dict__", "builtins.__builtins__"):
            return Meaning(_plain(f"builtins.{name}"), self.bound)
        return Meaning(_plain(f"{self.dotted}.{name}"), self.bound)


@dataclass(frozen=True)
class Reference:
    """A place in a module that imports or reads the thing called ``dotted``."""

    node: ast.expr | ast.alias
    dotted: str
    bound: str | None = None


def references(module: ScopedModule) -> list[Reference]:
    """Return everything the module imports or reads that can be named."""
    found = [Reference(alias, _plain(dotted)) for alias, dotted in module.imports]
    resolver = _Resolver()
    # Inner expressions and earlier lines first: what a later one needs is then known already.
    for expression, scope in sorted(module.expressions, key=lambda item: _end(item[0])):
        if isinstance(getattr(expression, "ctx", None), ast.Store | ast.Del):
            continue
        found.extend(
            Reference(expression, meaning.dotted, meaning.bound) for meaning in resolver.meanings(expression, scope)
        )
    return found


def constant_text(node: ast.expr | None) -> str | None:
    """Return the text of a string constant, of a concatenation of such, or of an f-string without values."""
    parts: list[str] = []
    waiting: list[ast.expr | None] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            parts.append(part.value)
        elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            waiting += [part.right, part.left]
        elif isinstance(part, ast.JoinedStr):
            waiting += reversed(part.values)
        else:
            return None
    return "".join(parts)


def _end(node: ast.expr) -> tuple[int, int]:
    return (node.end_lineno or 0, node.end_col_offset or 0)


def _plain(dotted: str) -> str:
    """Return the shortest name: without the standard modules that merely hold another one."""
    dotted = dotted.replace("__builtins__", "builtins")
    parts = dotted.split(".")
    if parts[0] not in sys.stdlib_module_names:
        return dotted
    for index in range(len(parts) - 1, 0, -1):
        if parts[index] in _HELD_BY_OTHERS:
            return ".".join(parts[index:])
    return dotted


class _Resolver:
    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[Meaning, ...]] = {}

    def meanings(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[Meaning, ...]:
        key = (id(node), id(scope))
        if key not in self._known:
            if depth > _MAX_DEPTH:
                return ()
            self._known[key] = ()  # a name that is bound to itself means nothing
            found = dict.fromkeys(self._find(node, scope, depth + 1))
            self._known[key] = tuple(found)[:_MAX_MEANINGS]
        return self._known[key]

    def _find(self, node: ast.expr, scope: Scope, depth: int) -> Iterator[Meaning]:
        match node:
            case ast.Name():
                yield from self._name(node.id, scope, depth)
            case ast.Attribute():
                for base in self.meanings(node.value, scope, depth):
                    yield base.attribute(node.attr)
            case ast.Subscript():
                name = constant_text(node.slice)
                for base in self.meanings(node.value, scope, depth) if name else ():
                    yield from self._item(base, name or "", scope, depth)
            case ast.Call():
                for function in self.meanings(node.func, scope, depth):
                    yield from self._result(function, node, scope, depth)
            case ast.NamedExpr():
                yield from self.meanings(node.value, scope, depth)
            case ast.IfExp():
                yield from self.meanings(node.body, scope, depth)
                yield from self.meanings(node.orelse, scope, depth)
            case ast.BoolOp():
                for value in node.values:
                    yield from self.meanings(value, scope, depth)

    def _name(self, name: str, scope: Scope, depth: int) -> Iterator[Meaning]:
        bindings = scope.find(name)
        for binding in bindings:
            if isinstance(binding, Imported):
                dotted = _plain(binding.dotted)
                yield Meaning(dotted, bound=dotted)
            elif isinstance(binding, Assigned):
                for meaning in self.meanings(binding.value, binding.scope, depth):
                    yield Meaning(meaning.dotted, bound=meaning.dotted)
        if not bindings:
            if name in _BUILTINS or name == "__builtins__":
                yield Meaning("builtins" if name == "__builtins__" else f"builtins.{name}")
            for origin in scope.module.starred:
                yield Meaning(_plain(f"{origin}.{name}"), bound=origin)

    def _item(self, base: Meaning, key: str, scope: Scope, depth: int) -> Iterator[Meaning]:
        """What `base[key]` means, for the dictionaries in which Python keeps modules and names."""
        if not all(part.isidentifier() for part in key.split(".")):
            return
        if base.dotted == "sys.modules":
            yield Meaning(_plain(key))
        elif base.dotted == _GLOBALS:
            for meaning in self._name(key, scope.module, depth):
                yield Meaning(meaning.dotted)
        elif base.dotted == "builtins":
            yield base.attribute(key)
        elif base.dotted.endswith(".__dict__"):
            yield Meaning(base.dotted.removesuffix(".__dict__"), base.bound).attribute(key)

    def _result(self, function: Meaning, call: ast.Call, scope: Scope, depth: int) -> Iterator[Meaning]:
        first = call.args[0] if call.args else None
        name = constant_text(first)
        owner, _, method = function.dotted.rpartition(".")
        if function.dotted == "builtins.getattr" and len(call.args) > 1:
            attribute = constant_text(call.args[1]) or ""
            for base in self.meanings(call.args[0], scope, depth) if attribute.isidentifier() else ():
                yield base.attribute(attribute)
        elif function.dotted in _IMPORTERS and name and all(part.isidentifier() for part in name.split(".")):
            yield Meaning(_plain(name))
        elif function.dotted == "builtins.vars" and first is not None:
            for base in self.meanings(first, scope, depth):
                yield Meaning(f"{base.dotted}.__dict__", base.bound)
        elif function.dotted == "builtins.globals":
            yield Meaning(_GLOBALS)
        elif method in ("get", "pop", "__getitem__") and name:
            yield from self._item(Meaning(owner, function.bound), name, scope, depth)
        elif method == "__getattribute__" and name and name.isidentifier():
            yield Meaning(owner, function.bound).attribute(name)
