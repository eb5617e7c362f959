"""Files with sample rows: JSON, JSON lines, CSV, Parquet, or a folder whose files are assets, one row each."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixpeek.contract.columns import DATA, MIME_TYPE
from mixpeek.errors import InvalidRequest
from mixpeek.examination.samples import Row, read_samples
from mixpeek.text import fault_of_text

_LINES = frozenset({".jsonl", ".ndjson"})
_UNKNOWN_TYPE = "application/octet-stream"
# What a test runs in a moment; a folder of a million files is given by mistake.
_MOST_ROWS = 10_000


def read_sample_data(path: Path) -> list[Row]:
    """Return the rows of a file, or of a folder's files; raise InvalidRequest, naming what cannot be used."""
    suffix = path.suffix.lower()
    if path.is_dir():
        rows = _rows_of_folder(path)
    elif suffix in _LINES:
        rows = _rows_of_lines(path)
    elif suffix == ".parquet":
        rows = _rows_of_parquet(path)
    else:
        return read_samples(path)
    if len(rows) > _MOST_ROWS:
        raise InvalidRequest(f"`{path}` holds {len(rows):,} rows", hint=f"Pass {_MOST_ROWS:,} at most")
    fault = fault_of_text(rows)
    if fault is not None:
        raise InvalidRequest(f"`{path}`: {fault}", hint="Leave out what no document can hold")
    return rows


def assets_folder(path: Path) -> Path:
    """Return the folder in which files that the rows name are looked for."""
    return path if path.is_dir() else path.parent


def _rows_of_folder(folder: Path) -> list[Row]:
    """Return a row per file, named as its plugin will open it: by its path below the folder."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise InvalidRequest(
            f"The folder `{folder}` holds no files", hint="Pass a folder of images, sounds or the like"
        )
    return [_row_of_file(path, folder) for path in files]


def _row_of_file(path: Path, folder: Path) -> Row:
    kind = blob_type_of(path)
    data = path.relative_to(folder).as_posix()
    if kind == "text":  # as on a server: text comes as text, everything else as an address
        data = path.read_text(encoding="utf-8", errors="replace")
    return {DATA: data, MIME_TYPE: mime_type_of(path), "blob_type": kind, "size_bytes": path.stat().st_size}


def mime_type_of(path: Path) -> str:
    """Return the MIME type that a file's name speaks of."""
    return mimetypes.guess_type(path.name)[0] or _UNKNOWN_TYPE


def blob_type_of(path: Path) -> str:
    """Return the type of the bucket property that takes a file of this name."""
    mime_type = mime_type_of(path)
    kind = mime_type.partition("/")[0]
    return {"application/pdf": "pdf"}.get(mime_type, kind if kind in {"image", "audio", "video", "text"} else "file")


def named_as_input(rows: Sequence[Row], input_schema: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a folder with each file also under the one name by which a plugin's input schema asks for it.

    A collection maps them so; where the schema has no property or several, nothing says which one is meant.
    """
    names = list(input_schema.get("properties") or ())
    if len(names) != 1:
        return list(rows)
    return [{names[0]: row[DATA], **row} for row in rows]


def _rows_of_lines(path: Path) -> list[Row]:
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    rows.append(_checked(json.loads(line), path, number))
    except (OSError, ValueError, RecursionError) as cause:
        number = len(rows) + 1
        raise InvalidRequest(f"`{path}` cannot be read at row {number}: {cause}", hint="Write one JSON object a line"
                             ) from cause  # fmt: skip
    if not rows:
        raise InvalidRequest(f"`{path}` holds no rows", hint='Write one JSON object a line, as in {"text": "Hello"}')
    return rows


def _checked(value: Any, path: Path, number: int) -> Row:
    if not isinstance(value, dict) or not value:
        raise InvalidRequest(f"`{path}`, line {number}: no object", hint="Write one JSON object a line")
    return value


def _rows_of_parquet(path: Path) -> list[Row]:
    import pyarrow as pa  # slow to import, and few samples are Parquet
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        if file.metadata.num_rows > _MOST_ROWS:
            raise InvalidRequest(f"`{path}` holds {file.metadata.num_rows:,} rows", hint=f"Pass {_MOST_ROWS:,} at most")
        rows: list[Row] = file.read().to_pylist()
    except (OSError, pa.ArrowException) as cause:
        raise InvalidRequest(f"`{path}` is not Parquet: {cause}", hint="Correct the file") from cause
    if not rows:
        raise InvalidRequest(f"`{path}` holds no rows", hint="Write at least one")
    return rows
