"""Edits of a file's bytes by the exact places of its syntax tree, so that all around them stays as it is."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, order=True)
class Edit:
    """The bytes from ``start`` to ``end`` of a file are to be ``text``."""

    start: int
    end: int
    text: bytes


class Places:
    """Where the nodes of a file's tree stand in its bytes, which are UTF-8."""

    def __init__(self, source: bytes) -> None:
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._first = len(_BOM) if source.startswith(_BOM) else 0  # columns do not count it

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line, from 1, and a column, from 0 in bytes."""
        return self._starts[line - 1] + column + (self._first if line == 1 else 0)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return the offsets at which a node starts and ends."""
        start = self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return start, self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def line_span(self, first: int, last: int) -> tuple[int, int]:
        """Return the offsets of whole lines, the end of the last included."""
        return self._starts[first - 1], self._starts[last]


def applied(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes with the edits made; one that overlaps an earlier one is left for another round."""
    parts, at = [], 0
    for edit in sorted(set(edits)):
        if edit.start < at:
            continue
        parts += [source[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*parts, source[at:]])
