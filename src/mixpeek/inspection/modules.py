"""Parses a plugin's Python files into what rules look at; a file that cannot be parsed becomes a finding.

Nothing is imported or run.
"""

from __future__ import annotations

import ast
import io
import re
import threading
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.plugin_facts import NO_FACTS, PluginFacts
from mixpeek.inspection.resolution import Owned, Reading
from mixpeek.inspection.row_code import RowCode
from mixpeek.inspection.scopes import scoped

MAX_SOURCE_BYTES = 512 * 1024
# What separates the parts of code from each other. A syntax tree takes about 2 kB for each, so that code may not have
# any number of them; the fullest of 5,600 files of well-known packages has 137,000.
_SEPARATORS = tuple(bytes((sign,)) for sign in b"\n\r\t\f ,;:.([{=+-*/|&^%<>@~")
MAX_PARTS = 150_000
_SURELY_FEW_BYTES = 128 * 1024

# Encodings in which every byte below 128 is the ASCII character, so that an editor shows what Python reads.
_PLAIN_ENCODINGS = frozenset(
    {"utf-8", "utf-8-sig", "ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin-1", "iso-8859-15", "iso8859-15"}
)
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"

# `catch_warnings` swaps a process-wide list, so two parsers must not do it at once.
_WARNINGS = threading.RLock()


@dataclass(frozen=True)
class Module:
    """One parsed file: its path below the plugin's folder, its tree, and everything in it that can be named."""

    path: str
    source: bytes
    tree: ast.Module
    owned: Owned = field(default_factory=Owned)
    facts: PluginFacts = NO_FACTS

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return all nodes of the tree, each once: to walk through it takes long, and many rules do."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def row_code(self) -> RowCode:
        """Return what the file's code does once for every row."""
        return RowCode(self.tree)

    @cached_property
    def functions_called(self) -> dict[int, tuple[str, ...]]:
        """Return the full names of what each call calls, by the id of the call's node."""
        return {id(call.node): call.functions for call in self.reading.calls}

    @cached_property
    def reading(self) -> Reading:
        """Return everything in the file that can be named."""
        return Reading(scoped(self.tree), self.owned)

    def position(self, node: ast.AST) -> tuple[int, int]:
        """Return the node's line and column, counted from 1 in characters."""
        return position(self.lines, node)

    @cached_property
    def text(self) -> str:
        """Return the source as text, as Python decodes it."""
        encoding = encoding_of(self.source) or "utf-8"
        return self.source.removeprefix(_BOM).decode(encoding if encoding != "utf-8-sig" else "utf-8", "replace")

    @cached_property
    def lines(self) -> list[bytes]:
        """Return the lines as the parser counts them, in UTF-8."""
        if self.source.isascii() or b"coding" not in self.source[:400]:
            return self.source.removeprefix(_BOM).splitlines()
        return self.text.encode("utf-8", "replace").splitlines()

    @cached_property
    def asked_about(self) -> frozenset[int]:
        """Return the ids of the expressions of which only the truth, the identity or nothing is used."""
        return frozenset(id(part) for node in self.nodes for part in _only_asked_about(node))

    def comments(self) -> Iterator[tuple[int, bool, str]]:
        """Return each comment: its line, whether it stands alone there, and its text."""
        readline = io.StringIO(self.text, newline=None).readline
        try:
            for token in tokenize.generate_tokens(readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], not token.line[: token.start[1]].strip(), token.string
        except (tokenize.TokenError, SyntaxError):
            return


def _only_asked_about(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        return [node.test]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    return [node.value] if isinstance(node, ast.Expr) else []


def encoding_of(source: bytes) -> str | None:
    """Return the encoding that the file declares, in lower case with dashes; None for none."""
    for line in source.removeprefix(_BOM).splitlines()[:2]:
        found = _CODING.match(line)
        if found:
            return found[1].decode("ascii", "replace").lower().replace("_", "-")
        if line.strip() and not line.lstrip().startswith(b"#"):
            return None
    return None


def position(lines: list[bytes], node: ast.AST) -> tuple[int, int]:
    """Return a node's line and column in the lines of its source, counted from 1 in characters."""
    lineno, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    line = lines[lineno - 1] if 0 < lineno <= len(lines) else b""
    # The parser counts columns in UTF-8 bytes.
    return lineno, len(line[:offset].decode("utf-8", "replace")) + 1


def parse_tree(source: bytes) -> ast.Module:
    """Return the syntax tree of a file's bytes, honouring its coding line.

    Raises: SyntaxError, ValueError, RecursionError, MemoryError: the bytes are not Python that can be parsed.
    """
    with quiet():
        return ast.parse(source)


class quiet:  # noqa: N801 - used like a function
    """Keep the parser's warnings about a plugin's code to itself; may be nested."""

    def __enter__(self) -> None:
        _WARNINGS.acquire()
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        self._caught.__exit__(None, None, None)
        _WARNINGS.release()


def parse(  # noqa: PLR0911 - a reason a line
    path: str, source: bytes, owned: Owned | None = None, facts: PluginFacts = NO_FACTS
) -> Module | Finding:
    """Return the parsed file, or the finding that says why it cannot be checked."""
    if len(source) > MAX_SOURCE_BYTES:
        return error(
            "code.too_large",
            f"{len(source)} bytes of Python in one file are too many to check",
            path=path,
            hint="Split the file, or move its data to a data file",
        )
    if len(source) > _SURELY_FEW_BYTES and sum(map(source.count, _SEPARATORS)) > MAX_PARTS:
        return error(
            "code.too_large",
            f"The file has more than {MAX_PARTS} parts of code, too many to check",
            path=path,
            hint="Split the file, or move its data to a data file",
        )
    encoding = encoding_of(source)
    if encoding is not None and encoding not in _PLAIN_ENCODINGS:
        return error(
            "code.encoding",
            f"The file declares the encoding `{encoding}`, which can hide what it says",
            path=path,
            line=1,
            hint="Save the file as UTF-8 and delete the coding line",
        )
    try:
        with quiet():  # annotations in strings are parsed too
            module = Module(path, source, parse_tree(source), owned or Owned(_package(path)), facts)
            _ = module.reading
    except SyntaxError as cause:
        return error(
            "code.syntax",
            f"Not valid Python: {cause.msg}",
            path=path,
            line=cause.lineno or None,
            column=max(cause.offset or 0, 0) or None,  # 0 or less where the parser knows no place
            hint="Correct the line, then check again"
            if cause.lineno
            else "Save the file as UTF-8, without a coding line",
        )
    except ValueError as cause:
        return error("code.syntax", f"Not valid Python: {cause}", path=path, hint="Save the file as UTF-8 text")
    except (RecursionError, MemoryError):
        return error("code.too_deep", "The code is nested too deeply to check", path=path, hint="Split the expression")
    return module


def _package(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[:-1])


def read_source(root: Path, path: str) -> bytes:
    """Return the file's bytes; of one that is too large, only so many as show that."""
    with (root / path).open("rb") as file:
        return file.read(MAX_SOURCE_BYTES + 1)


def read_module(root: Path, path: str, owned: Owned | None = None) -> Module | Finding:
    """Return the file at ``path`` below ``root``, parsed, or the finding that says why it cannot be checked."""
    return parse(path, read_source(root, path), owned)
