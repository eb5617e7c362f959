"""What an expression refers to, as a dotted name: `o.system` after `import os as o` is `os.system`.

Follows imports, aliases, constant `getattr`, `import_module` and the module dictionaries; runs nothing, and gives up
(no name) rather than guess.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from mixpeek.inspection.folding import Folder
from mixpeek.inspection.scopes import NAMING, Assigned, Imported, Scope, ScopedModule

# Modules that others of the standard library hold as attributes, so `shutil.os.system` is `os.system`.
_HELD_BY_STANDARD = frozenset(
    {"os", "posix", "subprocess", "socket", "socketserver", "ctypes", "builtins", "sys", "importlib",
     "multiprocessing", "threading", "pickle", "marshal", "io", "gc", "inspect", "operator"}
)  # fmt: skip
# Names that mean the same module wherever they are held.
_HELD_ANYWHERE = frozenset({"os", "posix", "subprocess", "builtins", "sys", "importlib"})
_BUILTINS = frozenset(dir(builtins))
GLOBALS = "globals()"
_MAX_DEPTH = 90
_MAX_MEANINGS = 32
_MAX_PARTS = 12
_STEPS = 50_000
_STEPS_PER_EXPRESSION = 6
_IMPORTERS = frozenset(
    {"importlib.import_module", "importlib.__import__", "builtins.__import__", "pkgutil.resolve_name",
     "importlib._bootstrap._gcd_import", "pydoc.locate", "importlib.util.find_spec", "importlib.find_loader"}
)  # fmt: skip
# Functions that return an attribute of their first argument named by the second.
GETTERS = frozenset({"builtins.getattr", "builtins.object.__getattribute__", "inspect.getattr_static"})
_NAMESPACES = frozenset({"builtins.globals", "builtins.locals", "builtins.vars"})
# What an import of `asyncio` calls the running loop, however it is asked for.
_LOOPS = frozenset({"asyncio.get_event_loop", "asyncio.new_event_loop", "asyncio.get_running_loop"})


class Meaning(NamedTuple):
    """One thing an expression may refer to.

    ``dotted`` is its full name. ``bound`` is what the name at the left end was bound to by an import or assignment
    elsewhere, so that a forbidden thing is reported where it was taken and not at every use; None without such a name.
    """

    dotted: str
    bound: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a module that imports or reads the thing called ``dotted``."""

    node: ast.expr | ast.alias
    dotted: str
    bound: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of things that can be named."""

    node: ast.Call
    functions: tuple[str, ...]
    scope: Scope


@dataclass(frozen=True, slots=True)
class Owned:
    """The modules of the plugin itself, as dotted names below its folder, and where the one being read stands."""

    package: tuple[str, ...] = ()
    modules: frozenset[str] | None = None

    def has(self, dotted: str) -> bool:
        """Tell whether a relative name such as `.core.os` is a module of the plugin."""
        parts = dotted.split(".")
        level = next((index for index, part in enumerate(parts) if part), len(parts))
        if self.modules is None:  # nothing is known about the plugin; `from .os import` can only be a module
            return len(parts) - level == 1
        base = self.package[: max(0, len(self.package) - (level - 1))]
        return ".".join((*base, *parts[level:])) in self.modules


@dataclass
class Reading:
    """Everything a module imports, reads, calls and assigns that can be named.

    ``references`` are by what they refer to. ``loose`` are expressions that mean a whole module and hand it on as a
    value, where no name can follow it. ``computed`` are expressions that choose an attribute or item of something
    named at run time. ``is_complete`` is False where the module is too tangled to be followed to the end.
    """

    scoped: ScopedModule
    owned: Owned = field(default_factory=Owned)
    references: dict[str, list[Reference]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    loose: dict[int, tuple[ast.expr, str]] = field(default_factory=dict)
    computed: dict[int, tuple[ast.expr, str]] = field(default_factory=dict)
    is_complete: bool = True

    def __post_init__(self) -> None:
        self._known: dict[int, tuple[Meaning, ...]] = {}
        self._names: dict[tuple[str, int], tuple[Meaning, ...]] = {}
        # Names whose bindings are being looked at, with what was found so far, and those of them met again meanwhile.
        self._underway: dict[tuple[str, int], list[Meaning]] = {}
        self._met_again: set[tuple[str, int]] = set()
        self._sure: dict[tuple[str, int], int | None] = {}
        self._steps_left = _STEPS + _STEPS_PER_EXPRESSION * len(self.scoped.expressions)
        self._folder = Folder(self.name_of)
        self._read()

    def text(self, node: ast.expr | None, scope: Scope) -> str | None:
        """Return the text that the expression always has, or None."""
        return self._folder.text(node, scope)

    def meanings(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[Meaning, ...]:
        """Return what the expression may refer to."""
        known = self._known.get(id(node))
        if known is not None:
            return known
        self._steps_left -= 1
        if depth > _MAX_DEPTH or self._steps_left < 0:
            self.is_complete = False
            return ()
        found = self._limited(self._find(node, scope, depth + 1))
        # What depends on a name that is still being looked at is looked at again when that is done.
        if not self._met_again:
            self._known[id(node)] = found
        return found

    def references_to(self, names: Iterable[str]) -> Iterator[Reference]:
        """Return every place that refers to one of the names."""
        for name in names:
            yield from self.references.get(name, ())

    def forget(self) -> None:
        """Let go of everything read: scopes and bindings hold each other, so they would wait for the collector."""
        for scope in self.scoped.scopes:
            scope.bindings.clear()
        del self._folder

    def name_of(self, node: ast.expr, scope: Scope) -> str | None:
        """Return the one thing the expression refers to, or None for none or several."""
        found = {meaning.dotted for meaning in self.meanings(node, scope)}
        return found.pop() if len(found) == 1 else None

    def _read(self) -> None:
        for alias, imported in self.scoped.imports:
            dotted = self._imported(imported)
            self.references.setdefault(dotted, []).append(Reference(alias, dotted))
        known, bound, starred = self._known, self.scoped.bound, bool(self.scoped.scope.starred)
        # Inner expressions and earlier lines first: what a later one needs is then known already.
        for node, scope in reversed(self.scoped.expressions):
            kind = node.__class__
            if kind is ast.Name:
                name = node.id  # type: ignore[attr-defined]
                if name not in bound and name not in _WORTH_READING and not starred:
                    continue
            elif kind is ast.Attribute:
                value = node.value  # type: ignore[attr-defined]
                if value.__class__ in NAMING and not known.get(id(value)) and node.attr != "__self__":  # type: ignore[attr-defined]
                    continue
            elif kind is ast.Call:
                function = node.func  # type: ignore[attr-defined]
                if function.__class__ in NAMING and not known.get(id(function)):
                    continue
                self._note_call(node, scope)  # type: ignore[arg-type]
            found = self.meanings(node, scope)
            if found or id(node) in self.computed:
                self._note(node, found)
        for target, _, _ in self.scoped.stores:
            self.loose.pop(id(target.value), None)

    def _note(self, node: ast.expr, found: tuple[Meaning, ...]) -> None:
        for dotted, bound in found:
            references = self.references.get(dotted)
            if references is None:
                references = self.references[dotted] = []
            references.append(Reference(node, dotted, bound))
            if dotted in _WHOLE and id(node) not in self.scoped.followed:
                self.loose[id(node)] = (node, dotted)
        if self.loose:
            for child in _read_further(node):
                self.loose.pop(id(child), None)

    def _note_call(self, node: ast.Call, scope: Scope) -> None:
        functions = tuple(meaning.dotted for meaning in self.meanings(node.func, scope))
        if functions:
            self.calls.append(Call(node, functions, scope))
            self.loose.pop(id(node.func), None)
            if self.loose and node.args and not _TAKES_MODULES.isdisjoint(functions):
                self.loose.pop(id(node.args[0]), None)

    def _limited(self, found: list[Meaning]) -> tuple[Meaning, ...]:
        if len(found) < 2:
            return tuple(found)
        unique = tuple(dict.fromkeys(found))
        if len(unique) > _MAX_MEANINGS:
            self.is_complete = False
        return unique[:_MAX_MEANINGS]

    def _find(self, node: ast.expr, scope: Scope, depth: int) -> list[Meaning]:  # noqa: PLR0911 - a case a line
        kind = node.__class__
        if isinstance(node, ast.Name):
            return self._name(node, scope, depth)
        if isinstance(node, ast.Attribute):
            return [self._attribute(base, node.attr) for base in self.meanings(node.value, scope, depth)]
        if isinstance(node, ast.Subscript):
            bases = self.meanings(node.value, scope, depth)
            return self._subscript(bases, node, scope, depth) if bases else []
        if isinstance(node, ast.Call):
            found: list[Meaning] = []
            for function in self.meanings(node.func, scope, depth):
                found += self._result(function, node, scope, depth)
            return found
        if isinstance(node, ast.NamedExpr):
            return list(self.meanings(node.value, scope, depth))
        if kind in (ast.IfExp, ast.BoolOp):
            choices = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values  # type: ignore[attr-defined]
            return [meaning for choice in choices for meaning in self.meanings(choice, scope, depth)]
        return []

    def _name(self, node: ast.Name, scope: Scope, depth: int) -> list[Meaning]:
        home = scope.home(node.id)
        if home is None:
            return self._builtin(node.id, scope)
        found = list(self._bound(node.id, home, depth))
        may_be_hidden = node.id in _WATCHED_BUILTINS and home.kind in ("module", "class")
        if may_be_hidden and not self._is_surely_bound(node, scope, home):
            found += self._builtin(node.id, scope)
        return found

    def _is_surely_bound(self, node: ast.Name, scope: Scope, home: Scope) -> bool:
        """Tell whether the name has a binding of the module's or class's own whenever this expression runs.

        Otherwise Python falls back to the built-in of that name: `if False: eval = None` hides nothing.
        """
        key = (node.id, id(home))
        if key not in self._sure:
            self._sure[key] = None if node.id in home.deleted else _binds(home.body, node.id, 0)
        line = self._sure[key]
        # Code of the same scope runs from top to bottom; a function runs later.
        return line is not None and (scope is not home or line <= node.lineno)

    def _builtin(self, name: str, scope: Scope) -> list[Meaning]:
        found = []
        if name in _BUILTINS or name == "__builtins__":
            found.append(Meaning("builtins" if name == "__builtins__" else f"builtins.{name}"))
        stars = scope.module.starred
        if len(stars) > _MAX_MEANINGS:
            self.is_complete = False
        found += [Meaning(self._plain(f"{origin}.{name}"), origin) for origin in stars[:_MAX_MEANINGS]]
        return found

    def _bound(self, name: str, home: Scope, depth: int) -> tuple[Meaning, ...]:
        """Return what the bindings of one name in one scope may mean, looking at them once only."""
        key = (name, id(home))
        known = self._names.get(key)
        if known is not None:
            return known
        if key in self._underway:  # a name that is bound to something made of itself
            self._met_again.add(key)
            return self._limited(self._underway[key])
        found = self._underway[key] = []
        for binding in home.bindings[name]:
            if isinstance(binding, Imported):
                dotted = self._imported(binding)
                found.append(Meaning(dotted, dotted))
            elif isinstance(binding, Assigned):
                meant = self.meanings(binding.value, binding.scope, depth)
                found += [Meaning(dotted, dotted) for dotted, _ in meant]
        del self._underway[key]
        self._met_again.discard(key)
        limited = self._limited(found)
        if not self._met_again:
            self._names[key] = limited
        return limited

    def _attribute(self, base: Meaning, name: str) -> Meaning:
        dotted = base.dotted
        if dotted in ("builtins.__dict__", "builtins.__builtins__"):
            dotted = "builtins"
        elif name == "__self__" and dotted.startswith("builtins."):
            return Meaning("builtins", base.bound)  # the module that a built-in function belongs to
        elif name == "__dict__" and dotted == GLOBALS:
            return base
        return Meaning(self._plain(f"{dotted}.{name}"), base.bound)

    def _imported(self, binding: Imported) -> str:
        # `import a.subprocess` is a module of package a, whatever it is called.
        return binding.dotted if binding.is_module and not _is_standard(binding.dotted) else self._plain(binding.dotted)

    def _plain(self, dotted: str) -> str:
        """Return the shortest name of an attribute: `from .core import os` is the module that core.py imported."""
        if dotted.startswith("."):
            name = dotted.rpartition(".")[2]
            return name if name in _HELD_ANYWHERE and not self.owned.has(dotted) else dotted
        return _plain(dotted)

    def _subscript(self, bases: tuple[Meaning, ...], node: ast.Subscript, scope: Scope, depth: int) -> list[Meaning]:
        if isinstance(node.slice, ast.Name) and node.slice.id == "__name__":
            return [Meaning(GLOBALS) for base in bases if base.dotted == "sys.modules"]
        if not any(_is_namespace(base.dotted) for base in bases):
            return []
        name = self.text(node.slice, scope)
        if name is None:
            self._note_computed(node, bases)
        return [meaning for base in bases for meaning in self._item(base, name, scope, depth)] if name else []

    def _note_computed(self, node: ast.expr, bases: Iterable[Meaning]) -> None:
        for dotted, _ in bases:
            self.computed[id(node)] = (node, dotted)

    def _item(self, base: Meaning, key: str, scope: Scope, depth: int) -> list[Meaning]:
        """What `base[key]` means, for the dictionaries in which Python keeps modules and names."""
        if not all(part.isidentifier() for part in key.split(".")):
            return []
        if base.dotted == "sys.modules":
            return [Meaning(_plain_by_parts(key))]
        if base.dotted == GLOBALS:
            name = ast.Name(key, ast.Load(), lineno=1 << 30, col_offset=0)
            return [Meaning(meaning.dotted) for meaning in self._name(name, scope.module, depth)]
        if base.dotted == "builtins":
            return [self._attribute(base, key)]
        if base.dotted.endswith(".__dict__"):
            return [self._attribute(Meaning(base.dotted.removesuffix(".__dict__"), base.bound), key)]
        return []

    def _result(  # noqa: PLR0911 - a case a line
        self, function: Meaning, call: ast.Call, scope: Scope, depth: int
    ) -> list[Meaning]:
        dotted, args = function.dotted, call.args
        owner, _, method = dotted.rpartition(".")
        if dotted in GETTERS:
            return self._got(call, scope, depth)
        if dotted in _IMPORTERS:
            module = (self.text(argument(call, 0, "name"), scope) or "").replace(":", ".")
            return [Meaning(_plain_by_parts(module))] if _is_dotted(module) else []
        if dotted in _NAMESPACES:
            if not args:
                return [Meaning(GLOBALS)]
            return [Meaning(f"{base.dotted}.__dict__", base.bound) for base in self.meanings(args[0], scope, depth)]
        if dotted in _LOOPS:
            return [Meaning("asyncio.loop")]
        if dotted == "functools.partial" and args:
            return self._partial(call, scope, depth)
        if method in ("get", "pop", "setdefault", "__getitem__") and _is_namespace(owner):
            name = self.text(args[0], scope) if args else None
            if name is None:
                self._note_computed(call, [Meaning(owner)])
            return self._item(Meaning(owner, function.bound), name, scope, depth) if name else []
        if method in ("__getattribute__", "__getattr__") and args:
            name = self.text(args[-1], scope)
            return [self._attribute(Meaning(owner, function.bound), name)] if name and name.isidentifier() else []
        return []

    def _got(self, call: ast.Call, scope: Scope, depth: int) -> list[Meaning]:
        if len(call.args) < 2:
            return []
        bases = self.meanings(call.args[0], scope, depth)
        name = self.text(call.args[1], scope) if bases else None
        if bases and name is None:
            self._note_computed(call, bases)
        if not name or not name.isidentifier():
            return []
        if bases and any(base.dotted == GLOBALS for base in bases):
            return self._item(Meaning(GLOBALS), name, scope, depth)
        return [self._attribute(base, name) for base in bases]

    def _partial(self, call: ast.Call, scope: Scope, depth: int) -> list[Meaning]:
        """What a partial call returns is a function that, called with the rest, does the same."""
        found: list[Meaning] = []
        for function in self.meanings(call.args[0], scope, depth):
            rest = ast.Call(call.args[0], call.args[1:], call.keywords)
            results = self._result(function, rest, scope, depth) if function.dotted in GETTERS | _IMPORTERS else []
            found += results or [function]
        return found


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """Return what a call gives for a parameter, or None."""
    if len(call.args) > position:
        return call.args[position]
    return next((one.value for one in call.keywords if one.arg == keyword), None)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _is_namespace(dotted: str) -> bool:
    return dotted in ("sys.modules", GLOBALS, "builtins") or dotted.endswith(".__dict__")


def _is_standard(dotted: str) -> bool:
    return dotted.partition(".")[0] in sys.stdlib_module_names


@lru_cache(maxsize=20_000)
def _plain(dotted: str) -> str:
    """Return the shortest name: the last part alone where it is a module that the rest merely holds."""
    parts = dotted.split(".")
    if len(parts) > _MAX_PARTS:
        return ".".join(parts[:_MAX_PARTS])
    if "__builtins__" in parts:
        return ".".join(["builtins", *parts[len(parts) - parts[::-1].index("__builtins__") :]])
    if len(parts) > 1 and parts[-1] in (_HELD_BY_STANDARD if _is_standard(dotted) else _HELD_ANYWHERE):
        return parts[-1]
    return dotted


def _plain_by_parts(dotted: str) -> str:
    """Return the shortest name of a whole chain, reading it from the left."""
    plain, *rest = dotted.split(".")
    for part in rest[:_MAX_PARTS]:
        plain = _plain(f"{plain}.{part}")
    return plain


def _binds(statements: list[ast.stmt], name: str, depth: int) -> int | None:
    """Return the line from which on the name is bound on every way through the statements."""
    for statement in statements:
        if depth < _MAX_DEPTH // 3 and _binds_here(statement, name, depth):
            return statement.lineno
    return None


def _binds_here(statement: ast.stmt, name: str, depth: int) -> bool:  # noqa: PLR0911 - a case a line
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name == name
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name.split(".")[0]) == name for alias in statement.names)
    if isinstance(statement, ast.Assign):
        return any(_holds(target, name) for target in statement.targets)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None and _holds(statement.target, name)
    if isinstance(statement, ast.With):
        return _binds(statement.body, name, depth + 1) is not None
    if isinstance(statement, ast.If):
        return all(_binds(part, name, depth + 1) is not None for part in (statement.body, statement.orelse))
    if isinstance(statement, ast.Try):
        ways = [statement.body, *(handler.body for handler in statement.handlers)]
        return all(_binds(part, name, depth + 1) is not None for part in ways)
    return False


def _holds(target: ast.expr, name: str) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(_holds(one, name) for one in target.elts)
    return isinstance(target, ast.Name) and target.id == name


def _read_further(node: ast.expr) -> list[ast.expr]:
    """Return the parts of an expression whose meaning the expression takes up."""
    if isinstance(node, ast.Attribute | ast.Subscript | ast.NamedExpr):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.BoolOp):
        return node.values
    return []


# Modules of which some attributes are forbidden, so that it matters where the whole goes.
_WHOLE = frozenset({"os", "posix", "nt", "builtins", "importlib"})
_TAKES_MODULES = frozenset(
    {"builtins.getattr", "builtins.hasattr", "builtins.vars", "builtins.dir", "builtins.isinstance", "builtins.type",
     "builtins.id", "builtins.setattr", "builtins.delattr", "builtins.print", "builtins.repr", "builtins.str",
     "inspect.getattr_static", "inspect.getsource", "inspect.getfile", "importlib.reload", "builtins.len",
     "builtins.object.__getattribute__", "builtins.list", "builtins.sorted", "builtins.set", "builtins.iter"}
)  # fmt: skip
# Built-in names that decide something here or in a rule; a binding that may not happen does not hide them.
_WATCHED_BUILTINS = frozenset(
    {"eval", "exec", "compile", "open", "getattr", "setattr", "delattr", "vars", "globals", "locals", "breakpoint",
     "help", "__import__", "__builtins__", "__loader__", "__spec__"}
)  # fmt: skip
# Of the built-in names, the ones worth a look; the rest is met too often and leads nowhere but to `__self__`.
_COMMON = frozenset(
    {"None", "True", "False", "len", "isinstance", "super", "property", "ValueError", "TypeError", "KeyError",
     "Exception", "AttributeError", "NotImplementedError", "RuntimeError", "IndexError", "ImportError", "OSError",
     "StopIteration", "DeprecationWarning", "UserWarning", "NotImplemented", "Ellipsis", "staticmethod", "classmethod"}
)  # fmt: skip
_WORTH_READING = (_BUILTINS | {"__builtins__", "__loader__", "__spec__"}) - _COMMON
