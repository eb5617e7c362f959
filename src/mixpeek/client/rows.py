"""Rows of files that become objects of a bucket, and groups of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from mixpeek.errors import InvalidRequest

Thing = TypeVar("Thing")

ROW_SUFFIXES = frozenset({".jsonl", ".ndjson", ".csv"})
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def in_groups(things: Iterable[Thing], size: int) -> Iterator[Sequence[Thing]]:
    """Yield lists of `size` things, the last one shorter, taking from `things` only as many as are asked for."""
    left = iter(things)
    while group := list(islice(left, size)):
        yield group


def rows_in(path: Path, bucket_schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a .jsonl or .csv file as objects of a bucket, one at a time.

    A JSON line is the object's body as it is. A CSV has a header that names properties of the bucket; a cell is read as
    its property is declared, and an empty one is left out.

    Raises: InvalidRequest: a line cannot be read, with its number.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() == ".csv":
            yield from _rows_of_csv(path, file, bucket_schema.get("properties") or {})
        else:
            yield from _rows_of_json(path, file)


def _rows_of_json(path: Path, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _unreadable(path, number, f"no JSON: {error}") from error
        if not isinstance(row, dict):
            raise _unreadable(path, number, "JSON, but no object")
        yield row


def _rows_of_csv(path: Path, lines: Iterable[str], properties: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(lines, strict=True)
    try:
        for row in reader:
            if None in row:
                raise _unreadable(path, reader.line_num, "longer than the header")
            yield {
                name: _value(path, reader.line_num, name, text, properties.get(name) or {})
                for name, text in row.items()
                if text
            }
    except csv.Error as error:
        raise _unreadable(path, reader.line_num, f"no CSV: {error}") from error


def _value(path: Path, line: int, name: str, text: str, declared: Mapping[str, Any]) -> Any:
    kind = declared.get("type")
    try:
        match kind:
            case "integer":
                return int(text)
            case "number" | "float":
                return float(text)
            case "boolean":
                return _truth(text)
            case "object" | "array" | "json":
                return json.loads(text)
    except ValueError as error:
        raise _unreadable(path, line, f"not right: {text!r} is no {kind}, as {name!r} is declared") from error
    return text


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _unreadable(path: Path, line: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path}, line {line} is {why}", hint="Repair the line; rows before it may have been sent")
