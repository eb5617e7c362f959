"""Parses a plugin's Python files into what rules look at; a file that cannot be parsed becomes a finding.

Nothing is imported or run.
"""

from __future__ import annotations

import ast
import threading
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.resolution import Reference, references
from mixpeek.inspection.scopes import scoped

MAX_SOURCE_BYTES = 4 * 1024 * 1024

# `catch_warnings` swaps a process-wide list, so two parsers must not do it at once.
_WARNINGS = threading.Lock()


@dataclass(frozen=True)
class Module:
    """One parsed file: its path below the plugin's folder, its tree, and everything in it that can be named."""

    path: str
    source: bytes
    tree: ast.Module
    references: tuple[Reference, ...]

    def position(self, node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
        """Return the node's line and column, counted from 1 in characters."""
        return position(self._lines, node)

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.source.splitlines()


def position(lines: list[bytes], node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
    """Return a node's line and column in the lines of its source, counted from 1 in characters."""
    line = lines[node.lineno - 1] if 0 < node.lineno <= len(lines) else b""
    # The parser counts columns in UTF-8 bytes.
    return node.lineno, len(line[: node.col_offset].decode("utf-8", "replace")) + 1


def parse_tree(source: bytes) -> ast.Module:
    """Return the syntax tree of a file's bytes, honouring its coding line.

    Raises: SyntaxError, ValueError, RecursionError, MemoryError: the bytes are not Python that can be parsed.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def parse(path: str, source: bytes) -> Module | Finding:
    """Return the parsed file, or the finding that says why it cannot be checked."""
    if len(source) > MAX_SOURCE_BYTES:
        return error(
            "code.too_large",
            f"{len(source)} bytes of Python in one file are too many to check",
            path=path,
            hint="Split the file, or move its data to a data file",
        )
    try:
        tree = parse_tree(source)
        return Module(path, source, tree, tuple(references(scoped(tree))))
    except SyntaxError as cause:
        return error(
            "code.syntax",
            f"Not valid Python: {cause.msg}",
            path=path,
            line=cause.lineno,
            column=cause.offset,
            hint="Correct the line, then check again",
        )
    except ValueError as cause:
        return error("code.syntax", f"Not valid Python: {cause}", path=path, hint="Save the file as UTF-8 text")
    except (RecursionError, MemoryError):
        return error("code.too_deep", "The code is nested too deeply to check", path=path, hint="Split the expression")


def read_module(root: Path, path: str) -> Module | Finding:
    """Return the file at ``path`` below ``root``, parsed, or the finding that says why it cannot be checked."""
    file = root / path
    size_bytes = file.stat().st_size
    return parse(path, file.read_bytes() if size_bytes <= MAX_SOURCE_BYTES else b" " * (MAX_SOURCE_BYTES + 1))
