"""The value of an expression made of constants: `"sys" + "tem"`, `"".join(map(chr, [...]))`, `b64decode(...)`.

Computes with text, bytes, numbers and lists only, within a budget; gives up (no value) rather than guess.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
from collections.abc import Callable, Mapping
from typing import Any

from mixpeek.inspection.scopes import Assigned, Scope

_MAX_SIZE = 4_096
_MAX_NUMBER = 1 << 40
_MAX_DEPTH = 40
_STEPS = 4_000
_STEPS_PER_FILE = 400_000

_Named = Callable[[ast.expr, Scope], str | None]

_METHODS = frozenset(
    {"join", "replace", "format", "lower", "upper", "swapcase", "title", "capitalize", "strip", "lstrip", "rstrip",
     "removeprefix", "removesuffix", "decode", "encode", "split", "translate", "casefold", "zfill", "hex", "fromhex"}
)  # fmt: skip
_CODECS = frozenset({"rot13", "rot_13", "rot-13", "hex", "base64", "utf-8", "utf8", "ascii", "latin-1", "latin1"})
_TEXT_CODECS = frozenset({"utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "utf-7", "unicode_escape"})
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.str": str,
    "builtins.bytes": bytes,
    "builtins.bytearray": bytes,
    "builtins.reversed": lambda value: value[::-1],
    "builtins.list": lambda value: value if isinstance(value, str) else tuple(value),
    "builtins.tuple": tuple,
    "builtins.int": int,
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.str.join": str.join,
    "base64.b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_base64": binascii.a2b_base64,
}


class _Unknown(Exception):
    """The expression is not made of constants, or is too large to compute."""


class Folder:
    """Computes constants of one file; ``named`` tells what a called function is."""

    def __init__(self, named: _Named) -> None:
        self._named = named
        self._left_in_file = _STEPS_PER_FILE
        self._left = 0

    def text(self, node: ast.expr | None, scope: Scope) -> str | None:
        """Return the text the expression always has, or None where that cannot be told."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if node is None:
            return None
        self._left = min(_STEPS, self._left_in_file)
        before = self._left
        try:
            value = self._value(node, scope, {}, 0)
        except (_Unknown, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            return None
        finally:
            self._left_in_file -= before - self._left
        return value if isinstance(value, str) else None

    def _value(self, node: ast.expr, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise _Unknown
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise _Unknown
        return _bounded(handler(self, node, scope, given, depth + 1))

    def constant(self, node: ast.Constant, *_: object) -> Any:
        return node.value

    def name(self, node: ast.Name, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        if node.id in given:
            return given[node.id]
        home = scope.home(node.id)
        bindings = home.bindings[node.id] if home else []
        if len(bindings) != 1 or not isinstance(bindings[0], Assigned):
            raise _Unknown
        return self._value(bindings[0].value, bindings[0].scope, {}, depth)

    def binary(self, node: ast.BinOp, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        # A long chain of additions leans to the left, deeper than this may go.
        rights: list[ast.BinOp] = []
        leftmost: ast.expr = node
        while isinstance(leftmost, ast.BinOp):
            rights.append(leftmost)
            leftmost = leftmost.left
        value = self._value(leftmost, scope, given, depth)
        for one in reversed(rights):
            value = _bounded(_combine(one.op, value, self._value(one.right, scope, given, depth)))
        return value

    def negative(self, node: ast.UnaryOp, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        if not isinstance(node.op, ast.USub):
            raise _Unknown
        return -self._value(node.operand, scope, given, depth)

    def fstring(self, node: ast.JoinedStr, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        return "".join(str(self._value(part, scope, given, depth)) for part in node.values)

    def formatted(self, node: ast.FormattedValue, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        value = self._value(node.value, scope, given, depth)
        if node.format_spec is not None or node.conversion not in (-1, ord("s")) or isinstance(value, bytes):
            raise _Unknown
        return value

    def sequence(self, node: ast.List | ast.Tuple, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        return tuple(self._value(one, scope, given, depth) for one in node.elts)

    def item(self, node: ast.Subscript, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        value = self._value(node.value, scope, given, depth)
        if isinstance(node.slice, ast.Slice):
            ends = (node.slice.lower, node.slice.upper, node.slice.step)
            return value[slice(*(end and self._value(end, scope, given, depth) for end in ends))]
        return value[self._value(node.slice, scope, given, depth)]

    def each(self, node: ast.ListComp | ast.GeneratorExp, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        generator = node.generators[0]
        if len(node.generators) != 1 or generator.ifs or not isinstance(generator.target, ast.Name):
            raise _Unknown
        items = self._value(generator.iter, scope, given, depth)
        name = generator.target.id
        return tuple(self._value(node.elt, scope, {**given, name: item}, depth) for item in items)

    def call(self, node: ast.Call, scope: Scope, given: Mapping[str, Any], depth: int) -> Any:
        if node.keywords:
            raise _Unknown
        named = self._named(node.func, scope)
        if named == "builtins.map" and len(node.args) == 2:
            function = _FUNCTIONS[str(self._named(node.args[0], scope))]
            return tuple(function(item) for item in self._value(node.args[1], scope, given, depth))
        arguments = [self._value(one, scope, given, depth) for one in node.args]
        if named == "codecs.decode" and len(arguments) == 2 and arguments[1] in _CODECS:
            return codecs.decode(*arguments)
        if named is not None and named in _FUNCTIONS:
            if named in ("builtins.bytes", "builtins.bytearray", "builtins.str") and isinstance(arguments[0], int):
                return str(arguments[0]) if named == "builtins.str" else _unknown()
            return _FUNCTIONS[named](*arguments)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            return _method(self._value(node.func.value, scope, given, depth), node.func.attr, arguments)
        raise _Unknown


def _unknown() -> Any:
    raise _Unknown


def _method(owner: Any, name: str, arguments: list[Any]) -> Any:
    if not isinstance(owner, str | bytes):
        raise _Unknown
    if name in ("decode", "encode") and arguments and arguments[0] not in _TEXT_CODECS:
        raise _Unknown
    sizes = [len(one) for one in arguments if isinstance(one, str | bytes)]
    numbers = [one for one in arguments if isinstance(one, int)]
    # `replace` multiplies the sizes; a width in a format would make any size from a few characters.
    if name == "replace" and len(owner) * max(sizes, default=1) > _MAX_SIZE * 16:
        raise _Unknown
    if (name == "format" and _has_width(owner)) or any(number > _MAX_SIZE for number in numbers):
        raise _Unknown
    return getattr(owner, name)(*arguments)


def _has_width(template: str | bytes) -> bool:
    return isinstance(template, bytes) or any(sign in template for sign in (":", "!", "[", ".", "{{"))


def _combine(operator: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.BitXor):
        return left ^ right
    if isinstance(operator, ast.Mult):
        size = max(len(one) if isinstance(one, str | bytes | tuple) else 1 for one in (left, right))
        count = max((one for one in (left, right) if isinstance(one, int)), default=0)
        return left * right if size * count <= max(_MAX_SIZE, 0) else _unknown()
    if isinstance(operator, ast.Mod) and isinstance(left, int | str):
        # Only `%s`, `%d` and `%c`: a width would make any size from a few characters.
        rest = left.replace("%s", "").replace("%d", "").replace("%c", "") if isinstance(left, str) else ""
        return left % right if "%" not in rest else _unknown()
    raise _Unknown


def _bounded(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        raise _Unknown
    if isinstance(value, int):
        if abs(value) > _MAX_NUMBER:
            raise _Unknown
    elif isinstance(value, str | bytes | tuple):
        if len(value) > _MAX_SIZE:
            raise _Unknown
    elif isinstance(value, list):
        return _bounded(tuple(value))
    else:
        raise _Unknown
    return value


_HANDLERS: dict[type[ast.expr], Callable[..., Any]] = {
    ast.Constant: Folder.constant,
    ast.Name: Folder.name,
    ast.BinOp: Folder.binary,
    ast.UnaryOp: Folder.negative,
    ast.JoinedStr: Folder.fstring,
    ast.FormattedValue: Folder.formatted,
    ast.List: Folder.sequence,
    ast.Tuple: Folder.sequence,
    ast.Subscript: Folder.item,
    ast.ListComp: Folder.each,
    ast.GeneratorExp: Folder.each,
    ast.Call: Folder.call,
}
