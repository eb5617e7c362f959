"""Documents on their way into a file: JSON lines as they come, or Parquet with one type for each field."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["jsonl", "parquet"]

_ROWS_PER_GROUP = 1000


class DocumentWriter(Protocol):
    """Takes documents one at a time; nothing is complete before `finish`."""

    count: int

    def add(self, document: Mapping[str, Any]) -> None:
        """Take one document."""

    def finish(self) -> None:
        """Write what is left."""


@contextmanager
def writer_into(path: Path, format: ExportFormat) -> Iterator[DocumentWriter]:
    """Yield a writer whose file takes the name `path` when the block ends well, and is gone when it does not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            yield JsonLines(file) if format == "jsonl" else Parquet(file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class JsonLines:
    """One JSON object a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self.count = 0
        self._file = file

    def add(self, document: Mapping[str, Any]) -> None:
        """Write one line."""
        self._file.write(json.dumps(document, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self.count += 1

    def finish(self) -> None:
        """Let readers see what was written."""
        self._file.flush()


class Parquet:
    """One column a field; documents wait in a file of their own until the types of all of them are known."""

    def __init__(self, file: IO[bytes]) -> None:
        self.count = 0
        self._file = file
        self._waiting = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by finish
        self._group: list[Mapping[str, Any]] = []
        self._types: dict[str, pa.DataType | None] = {}

    def add(self, document: Mapping[str, Any]) -> None:
        """Take one document."""
        self._group.append(document)
        self.count += 1
        if len(self._group) == _ROWS_PER_GROUP:
            self._set_aside()

    def finish(self) -> None:
        """Write all documents, a group of rows at a time."""
        import pyarrow as pa  # slow to load, and only this format needs it
        import pyarrow.parquet as pq

        self._set_aside()
        # A column of which nothing is known but nulls is text: readers cannot do much with a column of nulls.
        known = {name: kind or pa.string() for name, kind in self._types.items()}
        types = {name: pa.string() if pa.types.is_null(kind) else kind for name, kind in known.items()}
        as_text = {name for name, kind in self._types.items() if kind is None}
        self._waiting.seek(0)
        with self._waiting, pq.ParquetWriter(self._file, pa.schema(types), compression="zstd") as writer:
            for line in self._waiting:
                rows = json.loads(line)
                columns = {
                    name: pa.array([_cell(row.get(name), name in as_text) for row in rows], kind)
                    for name, kind in types.items()
                }
                writer.write_table(pa.table(columns))

    def _set_aside(self) -> None:
        import pyarrow as pa

        if not self._group:
            return
        for name in {name for document in self._group for name in document}:
            try:
                found = pa.array([document.get(name) for document in self._group]).type
                self._types[name] = _common(self._types.get(name, pa.null()), found)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                self._types[name] = None
        self._waiting.write(json.dumps(self._group) + "\n")
        self._group = []


def _common(one: pa.DataType | None, other: pa.DataType) -> pa.DataType | None:
    """Return the type that holds values of both, None if only JSON text does; raise ArrowInvalid likewise."""
    import pyarrow as pa

    if one is None:
        return None
    fields = [pa.schema([pa.field("x", kind)]) for kind in (one, other)]
    unified: pa.DataType = pa.unify_schemas(fields, promote_options="permissive").field("x").type
    return unified


def _cell(value: Any, as_text: bool) -> Any:
    return json.dumps(value, ensure_ascii=False) if as_text and value is not None else value
