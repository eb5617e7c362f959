"""Which names a module binds where: Python's scoping rules, as far as names can be followed without running anything.

Feeds `resolution`; judges nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Imported:
    """A name bound by an import statement to ``dotted`` (which starts with a dot for a relative import)."""

    dotted: str


@dataclass(frozen=True, eq=False)
class Assigned:
    """A name bound to the value of an expression, read in ``scope``."""

    value: ast.expr
    scope: Scope


# A binding is None where the name gets a value that cannot be followed: a parameter, a loop target, a definition.
Binding = Imported | Assigned | None


@dataclass(eq=False)
class Scope:
    """One module, class, function or comprehension, and the names bound in it."""

    kind: Literal["module", "class", "function", "comprehension"]
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, Literal["global", "nonlocal"]] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)

    @property
    def module(self) -> Scope:
        """Return the scope of the whole module."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def find(self, name: str) -> list[Binding]:
        """Return what the name may be bound to as seen from here; nothing if no scope binds it."""
        scope: Scope | None = self
        while scope is not None:
            # Methods do not see the names of their class.
            if (scope is self or scope.kind != "class") and name in scope.bindings:
                return scope.bindings[name]
            scope = scope.parent
        return []


@dataclass(frozen=True)
class ScopedModule:
    """A module's expressions and imported names, each with the scope it is read in."""

    scope: Scope
    expressions: list[tuple[ast.expr, Scope]]
    imports: list[tuple[ast.alias, str]]


def scoped(tree: ast.Module) -> ScopedModule:
    """Return the scopes, expressions and imports of a module."""
    return _Walk(tree).result


class _Walk:
    """Walks without recursion, so that deeply nested code cannot exhaust the stack."""

    def __init__(self, tree: ast.Module) -> None:
        self.result = ScopedModule(Scope("module"), [], [])
        self._waiting: list[tuple[ast.AST, Scope]] = [(tree, self.result.scope)]
        self._followed: set[int] = set()
        self._scopes = [self.result.scope]
        while self._waiting:
            node, scope = self._waiting.pop()
            self._visit(node, scope)
        for scope in self._scopes:
            _move_outer_names(scope)

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.expr):
            self.result.expressions.append((node, scope))
        handler = _HANDLERS.get(type(node))
        if handler is None:
            self._push(ast.iter_child_nodes(node), scope)
        else:
            handler(self, node, scope)

    def _push(self, nodes: Iterator[ast.AST] | list[ast.AST], scope: Scope) -> None:
        # Reversed, because the last one pushed is visited first: bindings stay in source order.
        self._waiting.extend((node, scope) for node in reversed(list(nodes)))

    def _open(self, kind: Literal["class", "function", "comprehension"], parent: Scope) -> Scope:
        scope = Scope(kind, parent)
        self._scopes.append(scope)
        return scope

    def _bind(self, name: str | None, binding: Binding, scope: Scope) -> None:
        if name is not None:
            scope.bindings.setdefault(name, []).append(binding)

    def function(self, node: _Function, scope: Scope) -> None:
        self._bind(node.name, None, scope)
        self._push([*node.decorator_list, *([node.returns] if node.returns else [])], scope)
        self._callable(node.args, list(node.body), scope)

    def lambda_(self, node: ast.Lambda, scope: Scope) -> None:
        self._callable(node.args, [node.body], scope)

    def _callable(self, args: ast.arguments, body: list[ast.AST], scope: Scope) -> None:
        inner = self._open("function", scope)
        parameters = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        parameters += [extra for extra in (args.vararg, args.kwarg) if extra]
        for parameter in parameters:
            self._bind(parameter.arg, None, inner)
        annotations = [parameter.annotation for parameter in parameters if parameter.annotation]
        defaults = [*args.defaults, *(default for default in args.kw_defaults if default)]
        self._push([*annotations, *defaults], scope)
        self._push(body, inner)

    def class_(self, node: ast.ClassDef, scope: Scope) -> None:
        self._bind(node.name, None, scope)
        self._push([*node.decorator_list, *node.bases, *node.keywords], scope)
        self._push(list(node.body), self._open("class", scope))

    def comprehension(self, node: _Comprehension, scope: Scope) -> None:
        inner = self._open("comprehension", scope)
        # Only the first iterable is read outside.
        self._push([node.generators[0].iter], scope)
        for index, generator in enumerate(node.generators):
            self._push([generator.target, *([generator.iter] if index else []), *generator.ifs], inner)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._push([*results], inner)

    def import_(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            self.result.imports.append((alias, alias.name))
            # `import a.b` binds `a`; `import a.b as c` binds `a.b` to `c`.
            top = alias.name.split(".", 1)[0]
            self._bind(alias.asname or top, Imported(alias.name if alias.asname else top), scope)

    def import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        origin = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.result.imports.append((alias, origin))
                scope.module.starred.append(origin)
                continue
            dotted = f"{origin}.{alias.name}"
            self.result.imports.append((alias, dotted))
            self._bind(alias.asname or alias.name, Imported(dotted), scope)

    def assign(self, node: ast.Assign, scope: Scope) -> None:
        for target in node.targets:
            self._follow(target, node.value, scope)
        self._push(ast.iter_child_nodes(node), scope)

    def annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._follow(node.target, node.value, scope)
        else:
            self._followed.add(id(node.target))  # a bare annotation binds nothing
        self._push(ast.iter_child_nodes(node), scope)

    def walrus(self, node: ast.NamedExpr, scope: Scope) -> None:
        target_scope = scope
        while target_scope.kind == "comprehension" and target_scope.parent is not None:
            target_scope = target_scope.parent
        self._follow(node.target, node.value, target_scope, read_in=scope)
        self._push(ast.iter_child_nodes(node), scope)

    def _follow(self, target: ast.expr, value: ast.expr, scope: Scope, read_in: Scope | None = None) -> None:
        if isinstance(target, ast.Name):
            self._followed.add(id(target))
            self._bind(target.id, Assigned(value, read_in or scope), scope)
        elif (
            isinstance(target, ast.Tuple | ast.List)
            and isinstance(value, ast.Tuple | ast.List)
            and len(target.elts) == len(value.elts)
        ):
            for one_target, one_value in zip(target.elts, value.elts, strict=True):
                self._follow(one_target, one_value, scope, read_in)

    def name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Store) and id(node) not in self._followed:
            self._bind(node.id, None, scope)

    def named_by_text(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar, scope: Scope) -> None:
        self._bind(node.name, None, scope)
        self._push(ast.iter_child_nodes(node), scope)

    def match_mapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        self._bind(node.rest, None, scope)
        self._push(ast.iter_child_nodes(node), scope)

    def outer_names(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        for name in node.names:
            scope.elsewhere[name] = "global" if isinstance(node, ast.Global) else "nonlocal"


def _move_outer_names(scope: Scope) -> None:
    for name, where in scope.elsewhere.items():
        moved = scope.bindings.pop(name, [])
        home: Scope | None = scope.module if where == "global" else scope.parent
        while home is not None and where == "nonlocal" and name not in home.bindings:
            home = home.parent
        if home is not None and moved:
            home.bindings.setdefault(name, []).extend(moved)


# Typed loosely on purpose: each method takes exactly the node type it stands beside.
_HANDLERS: dict[type[ast.AST], Callable[..., None]] = {
    ast.FunctionDef: _Walk.function,
    ast.AsyncFunctionDef: _Walk.function,
    ast.Lambda: _Walk.lambda_,
    ast.ClassDef: _Walk.class_,
    ast.ListComp: _Walk.comprehension,
    ast.SetComp: _Walk.comprehension,
    ast.DictComp: _Walk.comprehension,
    ast.GeneratorExp: _Walk.comprehension,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.annotated,
    ast.NamedExpr: _Walk.walrus,
    ast.Name: _Walk.name,
    ast.ExceptHandler: _Walk.named_by_text,
    ast.MatchAs: _Walk.named_by_text,
    ast.MatchStar: _Walk.named_by_text,
    ast.MatchMapping: _Walk.match_mapping,
    ast.Global: _Walk.outer_names,
    ast.Nonlocal: _Walk.outer_names,
}
