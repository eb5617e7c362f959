"""The values that manifest.py writes out in full, read from its syntax tree for when it may not be run.

Anything that only a run would show is left open and named, so that nothing is said about it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from mixpeek.contract.fields import MANIFEST_FIELDS
from mixpeek.inspection.manifest_report import Path
from mixpeek.inspection.manifest_source import ManifestSource

_MAX_VALUES = 20_000
_MAX_DEPTH = 60
_OPEN = object()


def read_literals(source: ManifestSource) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Return the fields with their literal values, and the paths of those that were left open."""
    reading = _Reading(source)
    fields: dict[str, Any] = {}
    if "metadata" in source.assigned:
        metadata = reading.name("metadata", ())
        fields.update({str(key): value for key, value in metadata.items()} if isinstance(metadata, dict) else {})
    for name in MANIFEST_FIELDS:
        if name in source.assigned:
            reading.open = [path for path in reading.open if path[:1] != (name,)]
            fields[name] = reading.name(name, (name,))
    known = {name: value for name, value in fields.items() if value is not _OPEN and value is not None}
    # A field that is not seen may be made by code; only a run can say that it is missing.
    absent = [(name,) for name in MANIFEST_FIELDS if name not in known]
    return known, (*reading.open, *absent)


class _Reading:
    """One reading of a module: how much it has read, and what it had to leave open."""

    def __init__(self, source: ManifestSource) -> None:
        self.open: list[Path] = []
        self._source = source
        self._left = _MAX_VALUES
        self._within: list[str] = []

    def name(self, name: str, path: Path, depth: int = 0) -> Any:
        """Return the value of a module's name, if it is given once and never changed."""
        located = self._source.assigned.get(name)
        if located is None or name in self._source.changed or name in self._within:
            return self._leave(path)
        self._within.append(name)
        value = self._value(located[1], path, depth + 1)
        self._within.pop()
        return value

    def _leave(self, path: Path) -> Any:
        if not self.open or self.open[-1] != path:
            self.open.append(path)
        return _OPEN

    def _value(self, node: ast.expr, path: Path, depth: int) -> Any:
        self._left -= 1
        if self._left <= 0 or depth > _MAX_DEPTH:
            return self._leave(path)
        read: Any = _OPEN
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                read = value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                read = -number
            case ast.List() | ast.Tuple() | ast.Set():
                read = self._list(node.elts, path, depth)
            case ast.Dict():
                read = self._dict(list(zip(node.keys, node.values, strict=True)), path, depth)
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if "dict" not in self._source.assigned:
                pairs = [(ast.Constant(pair.arg) if pair.arg else None, pair.value) for pair in keywords]
                read = self._dict(pairs, path, depth)
            case ast.Name(id=name):
                read = self.name(name, path, depth)
        return self._leave(path) if read is _OPEN else read

    def _list(self, nodes: list[ast.expr], path: Path, depth: int) -> Any:
        if len(nodes) > self._left or any(isinstance(node, ast.Starred) for node in nodes):
            return self._leave(path)
        values = [self._value(node, (*path, index), depth + 1) for index, node in enumerate(nodes)]
        return [None if value is _OPEN else value for value in values]

    def _dict(self, pairs: Sequence[tuple[ast.expr | None, ast.expr]], path: Path, depth: int) -> Any:
        values: dict[str, Any] = {}
        for key, node in pairs if len(pairs) <= self._left else [(None, ast.Constant(0))]:
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                return self._leave(path)
            values[key.value] = self._value(node, (*path, key.value), depth + 1)
        return {key: value for key, value in values.items() if value is not _OPEN}
