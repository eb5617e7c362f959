"""Sample rows: read from a file, and as the table a processor gets. The command line and rollouts use the same ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixpeek.contract.columns import DATA, DOCUMENT_ID, MIME_TYPE
from mixpeek.contract.manifest import Manifest
from mixpeek.errors import InvalidRequest
from mixpeek.text import fault_of_text

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

# Where a plugin ships rows of its own; the first one there is is taken.
SHIPPED = ("samples.json", "samples.csv")
# What a shipped file may hold, as the server reads it whole.
MOST_SHIPPED_BYTES = 1024**2


def find_shipped(plugin_dir: Path) -> Path | None:
    """Return the file with sample rows that a plugin ships, None if it ships none."""
    return next((path for name in SHIPPED if (path := plugin_dir / name).is_file()), None)


def read_shipped(path: Path) -> list[Row]:
    """Return the rows of a shipped file; raise InvalidRequest, naming the file within the plugin."""
    size_bytes = path.stat().st_size
    if size_bytes > MOST_SHIPPED_BYTES:
        most = MOST_SHIPPED_BYTES // 1024
        raise InvalidRequest(f"`{path.name}` has {size_bytes // 1024:,} KiB", hint=f"Ship {most:,} KiB at most")
    return read_samples(path, name=path.name)


def read_samples(path: Path, *, name: str | None = None) -> list[Row]:
    """Return the rows of a JSON file (a list of objects, or one) or of a CSV file with a header.

    Args:
        name: how messages call the file; default its path.

    Raises: InvalidRequest: the file is missing, of another kind, or holds no rows.
    """
    name = name or str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidRequest(f"`{name}` cannot be read: {cause}", hint="Pass a JSON or CSV file in UTF-8") from cause
    rows = _parse(text, path.suffix.lower(), name)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and row for row in rows):
        raise InvalidRequest(
            f"`{name}` holds no rows",
            hint='Write a list of objects, as in [{"text": "Hello"}], or a CSV file with a header line',
        )
    fault = fault_of_text(rows)
    if fault is not None:
        raise InvalidRequest(f"`{name}`: {fault}", hint="Leave out what no document can hold")
    return rows


def _parse(text: str, suffix: str, name: str) -> Any:
    if suffix == ".csv":
        try:
            rows = list(csv.DictReader(text.splitlines(keepends=True), strict=True))
        except csv.Error as cause:
            raise InvalidRequest(f"`{name}` is not CSV: {cause}", hint="Correct the file") from cause
        if any(None in row for row in rows):
            raise InvalidRequest(f"`{name}` has a line with more fields than its header", hint="Correct that line")
        return rows
    if suffix != ".json":
        raise InvalidRequest(f"`{name}` is neither .json nor .csv", hint="Rename or convert the file")
    try:
        rows = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as cause:
        raise InvalidRequest(f"`{name}` is not JSON: {cause}", hint="Correct the file") from cause
    return [rows] if isinstance(rows, dict) else rows


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def frame_of(rows: Sequence[Row], manifest: Manifest) -> pa.Table:
    """Return sample rows as the table a processor gets: `data`, the system columns, mappings, and their own fields.

    Raises: InvalidRequest: a field holds values of different kinds, or one no column can hold.
    """
    import pyarrow as pa  # slow to import, and only sample runs need it

    full = [_full_row(row, number, manifest) for number, row in enumerate(rows, start=1)]
    names = list(dict.fromkeys(name for row in full for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in full])
        except (pa.ArrowException, OverflowError, UnicodeEncodeError) as cause:
            raise InvalidRequest(
                f"The sample rows hold values of different kinds under {name!r}: {cause}",
                hint=f"Give {name!r} one kind of value in all rows",
            ) from cause
    # A column of nulls only has no type; a processor expects text there.
    if pa.types.is_null(columns[MIME_TYPE].type):
        columns[MIME_TYPE] = columns[MIME_TYPE].cast(pa.string())
    return pa.table(columns)


def _full_row(row: Row, number: int, manifest: Manifest) -> Row:
    mapped = {key: row[source] for key, source in manifest.input_mappings.items() if source in row}
    return {
        DATA: row[DATA] if DATA in row else row.get("text", next(iter(row.values()))),
        DOCUMENT_ID: f"doc_sample_{number}",
        "object_id": f"obj_sample_{number}",
        "blob_id": f"blob_sample_{number}",
        "blob_property": "text" if "text" in row else DATA,
        "blob_type": "text",
        "collection_id": "col_sample",
        "feature_extractor_id": f"{manifest.feature_extractor_name}_{manifest.version}",
        MIME_TYPE: None,
        "size_bytes": 0,
        **mapped,
        **row,
    }
