"""Where in manifest.py each declared value stands, read from its syntax tree; the file is not run.

Answers only "on which line"; what the values are is the host's to say.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mixpeek.contract.fields import MANIFEST_FIELDS
from mixpeek.inspection.modules import parse_tree, position

Place = tuple[int, int]

_Located = tuple[ast.expr, ast.expr]
"""What to point at, and the value below which to look further."""


@dataclass(frozen=True)
class ManifestSource:
    """The top-level assignments of a manifest.py."""

    lines: list[bytes]
    assigned: dict[str, _Located]
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))

    @classmethod
    def read(cls, source: str | bytes | None) -> ManifestSource:
        """Return the assignments in the source; none if it is absent or cannot be parsed (which others report)."""
        encoded = source if isinstance(source, bytes) else (source or "").encode("utf-8", "replace")
        try:
            tree = parse_tree(encoded)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls([], {})
        assigned: dict[str, _Located] = {}
        for statement in tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if isinstance(statement, ast.AnnAssign):
                targets = [statement.target]
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            for target in targets:
                if isinstance(target, ast.Name) and value is not None:
                    assigned[target.id] = (target, value)
        return cls(encoded.splitlines(), assigned, tree)

    @cached_property
    def changed(self) -> frozenset[str]:
        """The names whose value is not, or may not be, the one assigned at the top level."""
        stores: Counter[str] = Counter()
        touched: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                stores[node.id] += 1
            elif isinstance(node, ast.Attribute | ast.Starred) and isinstance(node.value, ast.Name):
                touched.add(node.value.id)  # `features.append(...)`
            elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                touched.add(_root(node))
            elif isinstance(node, ast.Global | ast.Nonlocal):
                touched.update(node.names)
            elif isinstance(node, ast.alias):
                stores[(node.asname or node.name).partition(".")[0]] += 1
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                stores[node.name] += 1
        return frozenset(touched | {name for name, times in stores.items() if times > 1})

    @cached_property
    def repeated(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """Keys written more than once in one dict, each with the path of where it stands."""
        found: list[tuple[str, tuple[str | int, ...]]] = []
        for name, (_, value) in self.assigned.items():
            # Only what is read as part of the manifest; the depth of a source is bounded by its parser.
            if name == "metadata" or name in MANIFEST_FIELDS:
                found += _repeated(value, () if name == "metadata" else (name,))
        return tuple(found)

    def place(self, *path: str | int) -> Place | None:
        """Return the line and column of ``features``, ``0``, ``embedding_dim``, or of the nearest thing around it."""
        located = self._top(path[0]) if path else None
        if located is None:
            located = self.assigned.get("metadata")
            return position(self.lines, located[0]) if located else None
        for step in path[1:]:
            deeper = self._below(located[1], step)
            if deeper is None:
                break
            located = deeper
        return position(self.lines, located[0])

    def text(self, name: str) -> str | None:
        """Return a field that is written as a plain string, or None."""
        located = self._top(name)
        value = located[1] if located else None
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

    def _top(self, name: str | int) -> _Located | None:
        if isinstance(name, str) and name in self.assigned:
            return self.assigned[name]
        metadata = self.assigned.get("metadata")
        return self._below(metadata[1], name) if metadata else None

    def _below(self, value: ast.expr, step: str | int) -> _Located | None:
        if isinstance(value, ast.Name) and value.id in self.assigned:
            value = self.assigned[value.id][1]
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == step:
                    return key, item
        elif isinstance(value, ast.Call):
            for keyword in value.keywords:
                if keyword.arg == step:
                    return keyword.value, keyword.value
        elif isinstance(value, ast.List | ast.Tuple) and isinstance(step, int) and step < len(value.elts):
            return value.elts[step], value.elts[step]
        return None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _repeated(value: ast.expr, path: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, ast.List | ast.Tuple):
        for index, item in enumerate(value.elts):
            yield from _repeated(item, (*path, index))
    elif isinstance(value, ast.Dict):
        keys = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        yield from ((key, (*path, key)) for key, times in Counter(keys).items() if times > 1)
        for key, item in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield from _repeated(item, (*path, key.value))
