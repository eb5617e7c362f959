"""Which names a module binds where: Python's scoping rules, as far as names can be followed without running anything.

One walk over the tree collects all that `resolution` and the rules need; judges nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Loop = ast.For | ast.AsyncFor

_MAX_ANNOTATION = 4_000
_TYPING = ("typing", "typing_extensions")


@dataclass(frozen=True, slots=True)
class Imported:
    """A name bound by an import statement to ``dotted`` (which starts with a dot for a relative import).

    ``is_module`` where it can be nothing else: after `import a.b`, but not after `from a import b`.
    """

    dotted: str
    is_module: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Assigned:
    """A name bound to the value of an expression, read in ``scope``."""

    value: ast.expr
    scope: Scope


@dataclass(frozen=True, slots=True)
class Defined:
    """A name bound by `def`, `class` or to a lambda."""


# A binding is None where the name gets a value that cannot be followed: a parameter, a loop target.
Binding = Imported | Assigned | Defined | None
_DEFINED = Defined()


@dataclass(eq=False, slots=True)
class Scope:
    """One module, class, function or comprehension, the names bound in it, and its statements."""

    kind: Literal["module", "class", "function", "comprehension"]
    parent: Scope | None = None
    body: list[ast.stmt] = field(default_factory=list)
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, Literal["global", "nonlocal"]] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    @property
    def module(self) -> Scope:
        """Return the scope of the whole module."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def home(self, name: str) -> Scope | None:
        """Return the scope whose binding of the name is seen from here; None if no scope binds it."""
        scope: Scope | None = self
        while scope is not None:
            # Methods do not see the names of their class.
            if name in scope.bindings and (scope is self or scope.kind != "class"):
                return scope
            scope = scope.parent
        return None


Placed = tuple[ast.expr, Scope]
Store = tuple[ast.Attribute | ast.Subscript, ast.expr | None, Scope]
"""What is assigned to or deleted, the value where it is known, and the scope both are read in."""


@dataclass(frozen=True, slots=True)
class ScopedModule:
    """What one walk over a module collects.

    ``expressions`` that may name something, parents before children, so that reading them backwards meets what an
    expression is made of before the expression; ``followed`` are the ids of expressions whose value goes to a name;
    ``bound`` are the names that an import binds, or an expression that may refer to something.
    """

    scope: Scope
    expressions: list[Placed] = field(default_factory=list)
    imports: list[tuple[ast.alias, Imported]] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    patterns: list[ast.MatchClass] = field(default_factory=list)
    followed: set[int] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    scopes: list[Scope] = field(default_factory=list)


def scoped(tree: ast.Module) -> ScopedModule:
    """Return the scopes, expressions and imports of a module."""
    return _Walk(tree).result


_NO_CHILDREN = frozenset({"ctx", "op", "ops", "type_ignores", "names", "kwd_attrs"})
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _NO_CHILDREN)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
for _leaf in (ast.Constant, ast.Name, ast.Pass, ast.Break, ast.Continue):
    _FIELDS[_leaf] = ()
_FIELDS[ast.Attribute] = ("value",)
_FIELDS[ast.keyword] = ("value",)
# What there is something to see in; nothing else is even looked at.
_WALKED = frozenset(_FIELDS) - {ast.Constant, ast.Pass, ast.Break, ast.Continue}
# Expressions that may refer to something by name.
NAMING = frozenset({ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.IfExp, ast.BoolOp, ast.NamedExpr})


class _Walk:
    """Walks without recursion, so that deeply nested code cannot exhaust the stack."""

    def __init__(self, tree: ast.Module) -> None:
        self.result = ScopedModule(Scope("module", None, tree.body))
        self._waiting: list[tuple[ast.AST, Scope]] = [(tree, self.result.scope)]
        self._values: dict[int, ast.expr] = {}
        self._scopes = self.result.scopes
        self._scopes.append(self.result.scope)
        self._for_types: list[tuple[ast.If, Scope]] = []
        self._run()
        for scope in self._scopes:
            _move_outer_names(scope)
        # Whether a block is for type checkers only is known once every name has its bindings.
        while self._for_types:
            node, scope = self._for_types.pop()
            if not _is_for_types(node.test, scope):
                first = len(self._scopes)
                self._push(node.body, scope)
                self._run()
                for opened in [scope, *self._scopes[first:]]:
                    _move_outer_names(opened)

    def _run(self) -> None:  # noqa: PLR0912 - one loop, as most of a scan's time is spent here
        waiting, expressions, stores = self._waiting, self.result.expressions, self.result.stores
        pop, append, handlers, fields, walked = waiting.pop, waiting.append, _HANDLERS, _FIELDS, _WALKED
        while waiting:
            node, scope = pop()
            kind = node.__class__
            if kind is ast.Name:
                if node.ctx.__class__ is ast.Load:  # type: ignore[attr-defined]
                    expressions.append((node, scope))  # type: ignore[arg-type]
                else:
                    self._name(node, scope)  # type: ignore[arg-type]
                continue
            if kind is ast.Attribute or kind is ast.Subscript:
                if node.ctx.__class__ is ast.Load:  # type: ignore[attr-defined]
                    expressions.append((node, scope))  # type: ignore[arg-type]
                else:
                    stores.append((node, self._values.get(id(node)), scope))  # type: ignore[arg-type]
            elif kind in NAMING:
                expressions.append((node, scope))  # type: ignore[arg-type]
            handler = handlers.get(kind)
            if handler is not None:
                handler(self, node, scope)
                continue
            for name in fields[kind]:
                value: Any = getattr(node, name, None)
                if value.__class__ is list:
                    for one in value:
                        if one.__class__ in walked:
                            append((one, scope))  # type: ignore[arg-type]
                elif value.__class__ in walked:
                    append((value, scope))  # type: ignore[arg-type]

    def _push(self, nodes: Iterable[ast.AST | None], scope: Scope) -> None:
        self._waiting.extend([(node, scope) for node in nodes if node is not None and node.__class__ in _WALKED])

    def _push_children(self, node: ast.AST, scope: Scope) -> None:
        for name in _FIELDS[node.__class__]:
            value: Any = getattr(node, name, None)
            if value.__class__ is list:
                self._push(value, scope)
            elif value.__class__ in _WALKED:
                self._waiting.append((value, scope))  # type: ignore[arg-type]

    def _open(self, kind: Literal["class", "function", "comprehension"], parent: Scope, body: list[ast.stmt]) -> Scope:
        scope = Scope(kind, parent, body)
        self._scopes.append(scope)
        return scope

    def _bind(self, name: str | None, binding: Binding, scope: Scope) -> None:
        if name is not None:
            scope.bindings.setdefault(name, []).append(binding)
            if binding.__class__ is Imported or (isinstance(binding, Assigned) and binding.value.__class__ in NAMING):
                self.result.bound.add(name)

    def function(self, node: _Function, scope: Scope) -> None:
        self._bind(node.name, _DEFINED, scope)
        self._push(node.decorator_list, scope)
        self._annotation(node.returns, scope)
        inner = self._callable(node.args, node.body, scope)
        self._push(node.body, inner)

    def lambda_(self, node: ast.Lambda, scope: Scope) -> None:
        self._push([node.body], self._callable(node.args, [], scope))

    def _callable(self, args: ast.arguments, body: list[ast.stmt], scope: Scope) -> Scope:
        inner = self._open("function", scope, body)
        parameters = [*args.posonlyargs, *args.args]
        defaults = dict(zip([one.arg for one in parameters][::-1], args.defaults[::-1], strict=False))
        defaults |= {
            one.arg: default for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default
        }
        parameters += [*args.kwonlyargs, *(extra for extra in (args.vararg, args.kwarg) if extra)]
        for parameter in parameters:
            self._bind(parameter.arg, None, inner)
            if parameter.arg in defaults:
                self._value(parameter.arg, defaults[parameter.arg], inner, scope)
            self._annotation(parameter.annotation, scope)
        self._push(defaults.values(), scope)
        return inner

    def class_(self, node: ast.ClassDef, scope: Scope) -> None:
        self._bind(node.name, _DEFINED, scope)
        self._push([*node.decorator_list, *node.bases, *node.keywords], scope)
        self._push(node.body, self._open("class", scope, node.body))

    def comprehension(self, node: _Comprehension, scope: Scope) -> None:
        inner = self._open("comprehension", scope, [])
        # Only the first iterable is read outside.
        self._push([node.generators[0].iter], scope)
        for index, generator in enumerate(node.generators):
            self._each(generator.target, generator.iter, inner, scope if index == 0 else inner)
            self._push([generator.target, *([generator.iter] if index else []), *generator.ifs], inner)
        self._push([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    def loop(self, node: _Loop, scope: Scope) -> None:
        self._each(node.target, node.iter, scope, scope)
        self._push_children(node, scope)

    def _each(self, target: ast.expr, items: ast.expr, scope: Scope, read_in: Scope) -> None:
        """Bind a loop's target to the items where they are written out."""
        if isinstance(items, ast.Tuple | ast.List | ast.Set):
            for item in items.elts:
                self._follow(target, item, scope, read_in)

    def if_(self, node: ast.If, scope: Scope) -> None:
        if _names_type_checking(node.test):
            self._for_types.append((node, scope))
            self._push([node.test, *node.orelse], scope)
        else:
            self._push_children(node, scope)

    def import_(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            self.result.imports.append((alias, Imported(alias.name, is_module=True)))
            # `import a.b` binds `a`; `import a.b as c` binds `a.b` to `c`.
            top = alias.name.split(".", 1)[0]
            self._bind(alias.asname or top, Imported(alias.name if alias.asname else top, is_module=True), scope)

    def import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        origin = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.result.imports.append((alias, Imported(origin, is_module=True)))
                scope.module.starred.append(origin)
                continue
            dotted = f"{origin}{alias.name}" if origin.endswith(".") else f"{origin}.{alias.name}"
            imported = Imported(dotted)
            self.result.imports.append((alias, imported))
            self._bind(alias.asname or alias.name, imported, scope)

    def assign(self, node: ast.Assign, scope: Scope) -> None:
        for target in node.targets:
            self._follow(target, node.value, scope)
        self._push_children(node, scope)

    def augmented(self, node: ast.AugAssign, scope: Scope) -> None:
        self._values[id(node.target)] = node.value
        self._push_children(node, scope)

    def annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._follow(node.target, node.value, scope)
        elif isinstance(node.target, ast.Name):
            self.result.followed.add(id(node.target))  # a bare annotation binds nothing
        self._push([node.target, node.value], scope)
        self._annotation(node.annotation, scope)

    def _annotation(self, node: ast.expr | None, scope: Scope) -> None:
        """Read an annotation, and the code in its strings: pydantic and `typing.get_type_hints` run that too."""
        if node is None:
            return
        self._push([node], scope)
        if not isinstance(node, ast.Name | ast.Attribute):
            for text in _texts(node):
                self._push([_parsed(text)], scope)

    def walrus(self, node: ast.NamedExpr, scope: Scope) -> None:
        target_scope = scope
        while target_scope.kind == "comprehension" and target_scope.parent is not None:
            target_scope = target_scope.parent
        self._follow(node.target, node.value, target_scope, read_in=scope)
        self._push([node.target, node.value], scope)

    def _follow(self, target: ast.expr, value: ast.expr, scope: Scope, read_in: Scope | None = None) -> None:
        waiting = [(target, value)]
        while waiting:
            target, value = waiting.pop()
            if isinstance(target, ast.Name):
                self.result.followed.add(id(target))
                self._value(target.id, value, scope, read_in or scope)
            elif isinstance(target, ast.Attribute | ast.Subscript):
                self._values[id(target)] = value
            elif (
                isinstance(target, ast.Tuple | ast.List)
                and isinstance(value, ast.Tuple | ast.List)
                and len(target.elts) == len(value.elts)
            ):
                waiting += zip(target.elts, value.elts, strict=True)

    def _value(self, name: str, value: ast.expr, scope: Scope, read_in: Scope) -> None:
        self.result.followed.add(id(value))
        self._bind(name, _DEFINED if isinstance(value, ast.Lambda) else Assigned(value, read_in), scope)

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Del):
            scope.deleted.add(node.id)
        elif id(node) not in self.result.followed:
            self._bind(node.id, None, scope)

    def named_by_text(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar, scope: Scope) -> None:
        self._bind(node.name, None, scope)
        self._push_children(node, scope)

    def match_mapping(self, node: ast.MatchMapping, scope: Scope) -> None:
        self._bind(node.rest, None, scope)
        self._push_children(node, scope)

    def match_class(self, node: ast.MatchClass, scope: Scope) -> None:
        self.result.patterns.append(node)
        self._push_children(node, scope)

    def match(self, node: ast.Match, scope: Scope) -> None:
        for case in node.cases:
            if isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.pattern.name:
                self._value(case.pattern.name, node.subject, scope, scope)
        self._push_children(node, scope)

    def outer_names(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
        for name in node.names:
            scope.elsewhere[name] = "global" if isinstance(node, ast.Global) else "nonlocal"


def _move_outer_names(scope: Scope) -> None:
    for name, where in scope.elsewhere.items():
        moved = scope.bindings.pop(name, [])
        home: Scope | None = scope.module if where == "global" else scope.parent
        while home is not None and where == "nonlocal" and name not in home.bindings:
            home = home.parent
        if home is not None:
            if moved:
                home.bindings.setdefault(name, []).extend(moved)
            home.deleted |= scope.deleted & {name}


def _names_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING" and isinstance(test.value, ast.Name)
    )


def _is_for_types(test: ast.expr, scope: Scope) -> bool:
    """Tell whether the test is typing's own constant, which is False whenever code runs."""
    name = test if isinstance(test, ast.Name) else test.value if isinstance(test, ast.Attribute) else None
    home = scope.home(name.id) if isinstance(name, ast.Name) else None
    if home is None or not isinstance(name, ast.Name):
        return False
    wanted = {f"{module}.TYPE_CHECKING" if name is test else module for module in _TYPING}
    return all(isinstance(one, Imported) and one.dotted in wanted for one in home.bindings[name.id])


def _texts(annotation: ast.expr) -> list[ast.Constant]:
    """Return the strings of an annotation that may hold code; those of a `Literal` and of metadata do not."""
    found: list[ast.Constant] = []
    waiting: list[ast.expr] = [annotation]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and ("(" in node.value or "." in node.value):
                found.append(node)
        elif isinstance(node, ast.Subscript):
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if owner == "Annotated" and isinstance(node.slice, ast.Tuple):
                waiting += node.slice.elts[:1]
            elif owner != "Literal":
                waiting.append(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            waiting += node.elts
        elif isinstance(node, ast.BinOp):
            waiting += (node.left, node.right)
    return found


def _parsed(text: ast.Constant) -> ast.expr | None:
    """Return the expression in a string annotation, standing where the string stands."""
    if not isinstance(text.value, str) or len(text.value) > _MAX_ANNOTATION:
        return None
    try:
        tree = ast.parse(text.value.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        ast.copy_location(node, text)
    return tree


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
    ast.For: _Walk.loop,
    ast.AsyncFor: _Walk.loop,
    ast.If: _Walk.if_,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Assign: _Walk.assign,
    ast.AugAssign: _Walk.augmented,
    ast.AnnAssign: _Walk.annotated,
    ast.NamedExpr: _Walk.walrus,
    ast.ExceptHandler: _Walk.named_by_text,
    ast.Match: _Walk.match,
    ast.MatchAs: _Walk.named_by_text,
    ast.MatchStar: _Walk.named_by_text,
    ast.MatchMapping: _Walk.match_mapping,
    ast.MatchClass: _Walk.match_class,
    ast.Global: _Walk.outer_names,
    ast.Nonlocal: _Walk.outer_names,
}
