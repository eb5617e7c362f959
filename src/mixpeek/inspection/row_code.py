"""What plugin code does once for every row of a batch: its processors, their loops over rows, and the calls in them.

Follows a frame through assignments, columns and the helpers of the same file; where it is not sure, it says nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef

_FRAME_NAMES = frozenset({"batch", "df", "frame", "batch_df"})
# Of these, each item of the result is a row again.
_PASSES_ON = frozenset({"list", "tuple", "iter", "enumerate", "zip", "reversed", "sorted", "tqdm", "map", "filter"})
_WALKS = frozenset({"iterrows", "itertuples"})
# What has fewer items than there are rows, or other ones.
_NOT_ROWS = frozenset({"unique", "groupby", "value_counts", "columns", "dtypes", "agg", "describe"})
_KEEPS_FRAME = frozenset(
    {"copy", "assign", "reset_index", "fillna", "dropna", "head", "tail", "sort_values", "rename", "drop",
     "drop_duplicates", "sample", "query", "astype", "where"}
)  # fmt: skip
# Functions that make one thing of one row's thing, as far as their names tell.
_ONE_OF_ONE = frozenset(
    {"str", "open", "open_asset", "download_asset", "load_image", "preprocess", "transform", "convert", "resize",
     "BytesIO", "unsqueeze", "to", "strip", "lower", "get", "float"}
)  # fmt: skip
_MAX_DEPTH = 3
_MAX_CALLS = 2_000


@dataclass(frozen=True, eq=False)
class Processor:
    """A class whose objects are called with a frame; ``frame`` is the parameter's name."""

    node: ast.ClassDef
    call: Function
    frame: str

    @property
    def init(self) -> Function | None:
        """The class's own `__init__`, if it has one."""
        return next((one for one in methods(self.node) if one.name == "__init__"), None)


@dataclass(frozen=True, eq=False)
class RowCall:
    """A call that runs once for every row.

    ``place`` is where the loop itself makes it, which is in another function where a helper was called; ``takes_row``
    tells whether it is given the row, or one thing of it.
    """

    node: ast.Call
    place: ast.Call
    takes_row: bool
    loop: RowLoop


@dataclass(frozen=True, eq=False)
class RowLoop:
    """A loop over the rows of a frame; ``walk`` is `iterrows`, `itertuples` or `apply` for those ways, else empty."""

    node: ast.AST
    rows: ast.expr
    target: ast.expr | None
    body: tuple[ast.AST, ...]
    walk: str = ""


@dataclass(frozen=True, eq=False)
class FrameFunction:
    """A function that is given a frame, the names that stand for frames in it, and those that stand for its rows."""

    node: Function
    owner: ast.ClassDef | None
    frames: frozenset[str]
    rows: frozenset[str]
    loops: tuple[RowLoop, ...] = field(default=())


class RowCode:
    """All of that for one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions: list[tuple[Function, ast.ClassDef | None]] = []
        self._classes: list[ast.ClassDef] = []
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._functions.append((node, None))
            elif isinstance(node, ast.ClassDef):
                self._classes.append(node)
                self._functions += [(one, node) for one in methods(node)]
        self._top = {one.name: one for one, owner in self._functions if owner is None}

    @cached_property
    def processors(self) -> list[Processor]:
        """Return the classes called with a frame."""
        found = []
        for node in self._classes:
            call = next((one for one in methods(node) if one.name == "__call__"), None)
            frame = _frame_parameter(call, skip=1) if call else None
            if call is not None and frame is not None and len(_parameters(call)) == 2:
                found.append(Processor(node, call, frame))
        return found

    @cached_property
    def functions(self) -> list[FrameFunction]:
        """Return the functions and methods that are given a frame."""
        found = []
        for node, owner in self._functions:
            frame = _frame_parameter(node, skip=0 if owner is None else 1)
            if frame is not None:
                found.append(_read(node, owner, frame))
        return found

    @cached_property
    def calls(self) -> list[RowCall]:
        """Return the calls that run once for every row, those in helpers of this module included."""
        found: list[RowCall] = []
        for function in self.functions:
            for loop in function.loops:
                names = names_in(loop.target) if loop.target is not None else set()
                self._collect(loop, loop.body, names, function.owner, None, found, frozenset())
        return found[:_MAX_CALLS]

    def _collect(
        self,
        loop: RowLoop,
        body: Iterable[ast.AST],
        names: set[str],
        owner: ast.ClassDef | None,
        place: ast.Call | None,
        found: list[RowCall],
        entered: frozenset[int],
    ) -> None:
        names = _single_names(body, names)
        for part in body:
            for node in walk_here(part):
                if not isinstance(node, ast.Call) or len(found) >= _MAX_CALLS:
                    continue
                takes_row = any(_is_single(one, names) for one in _arguments(node))
                found.append(RowCall(node, place or node, takes_row, loop))
                helper = self._helper(node.func, owner)
                if helper is not None and len(entered) < _MAX_DEPTH and id(helper) not in entered:
                    given = {
                        name for name, value in _bound(helper, node, owner is not None) if _is_single(value, names)
                    }
                    inner = entered | {id(helper)}
                    self._collect(loop, helper.body, given, owner, place or node, found, inner)

    def _helper(self, function: ast.expr, owner: ast.ClassDef | None) -> Function | None:
        if isinstance(function, ast.Name):
            return self._top.get(function.id)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self":
            return next((one for one in methods(owner) if one.name == function.attr), None) if owner else None
        return None


def methods(node: ast.ClassDef) -> list[Function]:
    """Return the methods of a class."""
    return [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


def names_in(node: ast.AST) -> set[str]:
    """Return the names read or bound in an expression."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def walk_here(node: ast.AST) -> Iterator[ast.AST]:
    """Return a node and all in it that runs with it, not what functions defined in it do when they are called."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        waiting += ast.iter_child_nodes(one)


def last_name(node: ast.expr) -> str:
    """Return the last word of what is called or read: `load` of `a.b.load`, "" where there is none."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def column_read(node: ast.AST, frames: frozenset[str] | set[str]) -> str | None:
    """Return the column that `batch["column"]` reads or writes, None for anything else."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in frames:
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value
    return None


def _parameters(node: Function) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args]


def _frame_parameter(node: Function, *, skip: int) -> str | None:
    """Return the name of the first parameter that is a frame: by its annotation, or by its name without one."""
    for one in _parameters(node)[skip:]:
        if one.annotation is None:
            if one.arg in _FRAME_NAMES:
                return one.arg
        elif _says_frame(one.annotation):
            return one.arg
    return None


def _says_frame(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str) and annotation.value.rpartition(".")[2] == "DataFrame"
    return last_name(annotation) == "DataFrame" and not isinstance(annotation, ast.Subscript)


def _read(node: Function, owner: ast.ClassDef | None, frame: str) -> FrameFunction:
    frames, rows = {frame}, set[str]()
    # Twice, as a name may be bound below where it is used: in a loop, or in a function defined further up.
    for _ in range(2):
        for one in walk_here_into(node):
            if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None:
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                bound = {target.id for target in targets if isinstance(target, ast.Name)}
                if _is_frame(one.value, frames):
                    frames |= bound
                elif _are_rows(one.value, frames, rows):
                    rows |= bound
    loops = tuple(_loops(node, frames, rows))
    return FrameFunction(node, owner, frozenset(frames), frozenset(rows), loops)


def walk_here_into(node: Function) -> Iterator[ast.AST]:
    """Return all that runs with a function's body."""
    for part in node.body:
        yield from walk_here(part)


def _is_frame(node: ast.expr, frames: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in frames
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _KEEPS_FRAME and _is_frame(node.func.value, frames)
    if isinstance(node, ast.Subscript):
        base, key = node.value, node.slice
        if isinstance(base, ast.Attribute) and base.attr in ("loc", "iloc"):
            return not isinstance(key, ast.Constant | ast.UnaryOp | ast.Tuple) and _is_frame(base.value, frames)
        return isinstance(key, ast.List | ast.Compare | ast.UnaryOp | ast.BoolOp) and _is_frame(base, frames)
    return False


def _are_rows(  # noqa: PLR0911, PLR0912 - a case a line
    node: ast.expr, frames: set[str], rows: set[str]
) -> bool:
    """Tell whether an expression has one item for each row of a frame."""
    if isinstance(node, ast.Name):
        return node.id in rows
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return len(node.generators) == 1 and _are_rows(node.generators[0].iter, frames, rows)
    if isinstance(node, ast.IfExp):
        return _are_rows(node.body, frames, rows) or _are_rows(node.orelse, frames, rows)
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return _is_frame(node.value, frames)
        if isinstance(node.slice, ast.Name) and _is_frame(node.value, frames):
            return True
        return isinstance(node.slice, ast.Slice) and _are_rows(node.value, frames, rows)
    if isinstance(node, ast.Attribute):
        if node.attr in _NOT_ROWS:
            return False
        if _is_frame(node.value, frames):
            return node.attr in ("index", "values")
        return _are_rows(node.value, frames, rows)
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr not in _NOT_ROWS:
            if _is_frame(function.value, frames):
                return function.attr in _WALKS or function.attr in ("to_dict", "get", "pop", "apply")
            if _are_rows(function.value, frames, rows):
                return True
        name = last_name(function)
        if name in _PASSES_ON:
            return any(_are_rows(one, frames, rows) for one in node.args)
        if name == "range" and len(node.args) < 3:
            return any(_is_length(one, frames, rows) for one in node.args)
    return False


def _is_length(node: ast.expr, frames: set[str], rows: set[str]) -> bool:
    if isinstance(node, ast.Call) and last_name(node.func) == "len" and node.args:
        return _is_frame(node.args[0], frames) or _are_rows(node.args[0], frames, rows)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        return _is_frame(node.value.value, frames)
    return False


def _walk_of(rows: ast.expr) -> str:
    for one in ast.walk(rows):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _WALKS:
            return one.func.attr
    return ""


def _loops(node: Function, frames: set[str], rows: set[str]) -> Iterator[RowLoop]:
    for one in walk_here_into(node):
        if isinstance(one, ast.For | ast.AsyncFor) and _are_rows(one.iter, frames, rows):
            yield RowLoop(one, one.iter, one.target, tuple(one.body), _walk_of(one.iter))
        elif isinstance(one, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            first = one.generators[0]
            if _are_rows(first.iter, frames, rows):
                made = (one.key, one.value) if isinstance(one, ast.DictComp) else (one.elt,)
                yield RowLoop(one, first.iter, first.target, (*made, *first.ifs), _walk_of(first.iter))
        elif isinstance(one, ast.Call) and one.args:
            yield from _applied(one, frames, rows)


def _applied(node: ast.Call, frames: set[str], rows: set[str]) -> Iterator[RowLoop]:
    """Return the loop that `apply` or `map` is, where what it calls is written out there."""
    function = node.func
    by_row = False
    if isinstance(function, ast.Attribute) and function.attr in ("apply", "map"):
        if _is_frame(function.value, frames):
            by_row = any(
                keyword.arg == "axis"
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value in (1, "columns")
                for keyword in node.keywords
            )
        elif _are_rows(function.value, frames, rows):
            by_row = True
        applied, over = node.args[0], function.value
        walk = "apply" if _is_frame(function.value, frames) else ""
    elif isinstance(function, ast.Name) and function.id == "map" and len(node.args) == 2:
        applied, over, walk = node.args[0], node.args[1], ""
        by_row = _are_rows(over, frames, rows)
    if not by_row:
        return
    if isinstance(applied, ast.Lambda) and applied.args.args:
        target = ast.Name(applied.args.args[0].arg, ast.Store())
        yield RowLoop(node, over, target, (applied.body,), walk)
    elif isinstance(applied, ast.Attribute | ast.Name):
        # As if it were called in a loop, at the place where it is handed over.
        row = ast.Name("row", ast.Load())
        call = ast.copy_location(ast.Call(applied, [row], []), applied)
        yield RowLoop(node, over, ast.Name("row", ast.Store()), (call,), walk)


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _is_single(node: ast.expr, names: set[str]) -> bool:  # noqa: PLR0911 - a case a line
    """Tell whether an expression is a row's own value, or made of it alone."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute | ast.Starred | ast.Await):
        return _is_single(node.value, names)
    if isinstance(node, ast.Subscript):
        return _is_single(node.value, names) or _is_single(node.slice, names)
    if isinstance(node, ast.List | ast.Tuple):
        return len(node.elts) == 1 and _is_single(node.elts[0], names)
    if isinstance(node, ast.JoinedStr | ast.FormattedValue | ast.BoolOp):
        return any(isinstance(one, ast.expr) and _is_single(one, names) for one in ast.iter_child_nodes(node))
    if isinstance(node, ast.Dict):
        return any(_is_single(one, names) for one in node.values)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and _is_single(node.func.value, names):
            return True
        return last_name(node.func) in _ONE_OF_ONE and any(_is_single(one, names) for one in _arguments(node))
    return False


def _single_names(body: Iterable[ast.AST], names: set[str]) -> set[str]:
    found = set(names)
    for part in body:
        for node in walk_here(part):
            if isinstance(node, ast.Assign) and _is_single(node.value, found):
                found |= {one.id for one in node.targets if isinstance(one, ast.Name)}
            elif isinstance(node, ast.withitem) and node.optional_vars and _is_single(node.context_expr, found):
                found |= names_in(node.optional_vars)
    return found


def _bound(helper: Function, node: ast.Call, is_method: bool) -> Iterator[tuple[str, ast.expr]]:
    """Return the parameters of a helper with what a call gives them."""
    names = [one.arg for one in _parameters(helper)]
    if is_method and names[:1] == ["self"]:
        names = names[1:]
    yield from zip(names, node.args, strict=False)
    yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
