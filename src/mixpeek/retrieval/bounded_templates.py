"""Jinja2 whose work has a bound: whoever may search may send a template, and a gigabyte is a few characters of it.

Whatever a template writes, loops over, calls or filters is counted, before it is made. Filters and methods that make
much of little are left out, as are those that change what they are given. Loads Jinja2, which takes a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

import jinja2
import jinja2.filters
import jinja2.sandbox
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

# Characters and items that one rendering may handle; what passes three filters counts seven times.
MOST_WORK = 10_000_000
# What a round of a loop or a call counts.
ROUND = 10
# Of whole numbers, which otherwise can be multiplied until the memory is full.
_MOST_BITS = 4096
_FILTERS = frozenset(
    """
    abs attr capitalize count d default dictsort e escape filesizeformat first float forceescape format groupby int
    items join last length list lower map max min reject rejectattr replace reverse round safe select selectattr sort
    string striptags sum title tojson trim truncate unique upper urlencode wordcount
    """.split()  # noqa: SIM905
)
_METHODS_LEFT_OUT = frozenset(
    ("center", "encode", "expandtabs", "format_map", "ljust", "rjust", "to_bytes", "translate", "zfill")
)
# A field of a format that is wider than 999, or as wide as another value says.
_WIDE = re.compile(r"%[^a-zA-Z%]*(\*|\d{4})|\{[^{}]*:[^{}]*(\{|\d{4})")


class TooMuchWork(jinja2.TemplateRuntimeError):
    """A template makes more than it may."""


class _Work:
    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise TooMuchWork(f"it handles more than {MOST_WORK:,} characters and items")

    def spend_on(self, value: Any) -> None:
        """Count a value, however deep; what it holds twice counts twice, as it would be written twice."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                self.spend(1 + len(item))
            elif isinstance(item, dict):
                self.spend(1 + 2 * len(item))
                waiting += item.keys()
                waiting += item.values()
            elif isinstance(item, list | tuple | set | frozenset):
                self.spend(1 + len(item))
                waiting += item
            else:
                self.spend(1)


_work: ContextVar[_Work] = ContextVar("work")


def render(template: jinja2.Template, named: dict[str, Any]) -> str:
    """Return what a template of `environment` makes; raise TooMuchWork if that is more than it may."""
    token = _work.set(_Work())
    try:
        return template.render(named)
    finally:
        _work.reset(token)


def environment() -> jinja2.Environment:
    """Return what compiles templates for `render`."""
    return _Bounded(undefined=jinja2.StrictUndefined, finalize=_finalized)


def _finalized(value: Any) -> Any:
    """Return what is written for a value."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float | list | tuple | dict | jinja2.Undefined):
        raise jinja2.TemplateRuntimeError(f"a {type(value).__name__} cannot be written; write what it holds")
    # Without work to count, which is so while a template is compiled, nothing is written ahead of its time.
    _work.get().spend_on(value)
    return value


class _Counting(NodeTransformer):
    """Has a template count where the environment is not asked: loops, `~`, and texts that may be written many times."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - named by Jinja2
        if node.recursive:
            raise jinja2.TemplateSyntaxError("recursive loops are not served", node.lineno)
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _filtered(node.iter, "rounds of")
        return self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        return self.generic_visit(_filtered(nodes.List(node.nodes, lineno=node.lineno), "concatenated"))

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:  # noqa: N802
        return _filtered(nodes.Const(node.data, lineno=node.lineno), "literal")


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Bounded(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.globals.pop("lipsum")
        given = {**jinja2.filters.FILTERS, **_BOUNDED}
        # Names with a blank can be used by no template.
        own: dict[str, Callable[..., Any]] = {"rounds of": _rounds_of, "concatenated": _concatenated}
        self.filters = {name: _counted(given[name]) for name in _FILTERS} | own | {"literal": _literal}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        counted: nodes.Template = _Counting().visit(tree)
        return counted

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise jinja2.TemplateRuntimeError(f"`{operator}` is not served in templates")
        if operator == "*":
            if not all(isinstance(each, int | float) for each in (left, right)):
                raise jinja2.TemplateRuntimeError("`*` multiplies numbers only")
            if sum(each.bit_length() for each in (left, right) if isinstance(each, int)) > _MOST_BITS:
                raise TooMuchWork("it multiplies numbers that are too large")
        if operator == "+" and not isinstance(left, int | float):
            _work.get().spend_on(left)
            _work.get().spend_on(right)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in _METHODS_LEFT_OUT and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return `format` of a text, which this environment has looked at before."""
        formatted = super().wrap_str_format(value)
        if formatted is None:
            return None
        text = value.__self__

        def bounded(*args: Any, **fields: Any) -> str:
            _spend_on_format(text, [*args, *fields.values()])
            return formatted(*args, **fields)

        return bounded

    def call(self, context: Any, called: Any, /, *args: Any, **options: Any) -> Any:
        work = _work.get()
        work.spend(ROUND)
        text = getattr(called, "__self__", None)
        if isinstance(text, str):
            method = called.__name__
            if method == "join" and args:
                args = (list(args[0]), *args[1:])
                work.spend(len(text) * len(args[0]))
            elif method == "replace" and len(args) > 1:
                _spend_on_replace(text, args[0], args[1])
            work.spend_on([text, *args])
        return super().call(context, called, *args, **options)


def _counted(given: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that counts what it is given and what it returns."""

    @wraps(given)
    def counted(*args: Any, **options: Any) -> Any:
        work = _work.get()
        # The surroundings, which some filters are given first, count one.
        work.spend_on([ROUND * " ", *args, *options.values()])
        result = given(*args, **options)
        if isinstance(result, str | list | tuple | dict):
            work.spend(len(result))
        return result

    return counted


def _rounds_of(values: Iterable[Any]) -> Iterator[Any]:
    work = _work.get()
    for value in values:
        work.spend(ROUND)
        yield value


def _concatenated(values: list[Any]) -> str:
    return "".join(str(_finalized(value)) for value in values)


def _literal(text: str) -> str:
    _work.get()  # there is none while a template is compiled, so that the text is counted each time it is written
    return text


@jinja2.pass_eval_context
def _join(context: Any, values: Iterable[Any], between: str = "", attribute: str | int | None = None) -> str:
    listed = list(values)
    _work.get().spend_on(listed)
    _work.get().spend(len(str(between)) * len(listed))
    return jinja2.filters.sync_do_join(context, listed, between, attribute)


@jinja2.pass_eval_context
def _replace(context: Any, text: Any, old: str, new: str, count: int | None = None) -> str:
    _spend_on_replace(str(text), old, new)
    return jinja2.filters.do_replace(context, str(text), old, new, count)


def _spend_on_replace(text: str, old: Any, new: Any) -> None:
    _work.get().spend(text.count(str(old)) * len(str(new)))


def _format(text: Any, *args: Any, **fields: Any) -> str:
    _spend_on_format(str(text), [*args, *fields.values()])
    return jinja2.filters.do_format(text, *args, **fields)


def _spend_on_format(text: str, values: list[Any]) -> None:
    if _WIDE.search(text):
        raise TooMuchWork("it formats with a width of more than 999, or one that is not written out")
    work, before = _work.get(), _work.get().left
    work.spend_on(values)
    # Each field may write each value.
    work.spend((text.count("%") + text.count("{")) * (1000 + before - work.left))


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > 100:
        raise TooMuchWork("it rounds to more than 100 places")
    rounded: float = jinja2.filters.do_round(value, precision, method)
    return rounded


@jinja2.pass_environment
def _sum(environment: Any, values: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> float:
    listed = list(values)
    if not isinstance(start, int | float):
        raise jinja2.TemplateRuntimeError("`sum` adds numbers only")
    total: float = jinja2.filters.sync_do_sum(environment, listed, attribute, start)
    return total


@jinja2.pass_eval_context
def _tojson(context: Any, value: Any) -> Any:
    return jinja2.filters.do_tojson(context, value)


# In place of Jinja2's own, which make of what they are given more than it holds.
_BOUNDED: dict[str, Callable[..., Any]] = {
    "format": _format,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
    "tojson": _tojson,
}
