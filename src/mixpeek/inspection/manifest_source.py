"""Where in manifest.py each declared value stands, read from its syntax tree; the file is not run.

Answers only "on which line"; what the values are is the host's to say.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mixpeek.inspection.modules import parse_tree, position

Place = tuple[int, int]

_Located = tuple[ast.expr, ast.expr]
"""What to point at, and the value below which to look further."""


@dataclass(frozen=True)
class ManifestSource:
    """The top-level assignments of a manifest.py."""

    lines: list[bytes]
    assigned: dict[str, _Located]

    @classmethod
    def read(cls, source: str | None) -> ManifestSource:
        """Return the assignments in the source; none if it is absent or cannot be parsed (which others report)."""
        encoded = (source or "").encode("utf-8", "replace")
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
        return cls(encoded.splitlines(), assigned)

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
