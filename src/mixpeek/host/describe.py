"""Reads manifest.py into plain JSON, whichever of the documented styles it is written in.

Nothing is judged here: unknown keys travel on as they are, so that the caller can refuse them by name.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from types import ModuleType
from typing import Any, cast

from mixpeek.contract.fields import MANIFEST_FIELDS, SCHEMA_FIELDS
from mixpeek.host.failures import invalid

_MAX_VALUES = 100_000
_MAX_DEPTH = 64
_MAX_PLACE = 200


def read_manifest(module: ModuleType) -> dict[str, Any]:
    """Return the manifest's fields as JSON-able values; raise Failure for one that JSON cannot say."""
    declared = vars(module)
    count = itertools.count()
    fields = _metadata(declared.get("metadata", {}), count)
    for name in MANIFEST_FIELDS:
        if name not in declared:
            continue
        value = declared[name]
        plain = jsonable(json_schema(name, value) if name in SCHEMA_FIELDS else value, f"manifest.{name}", count)
        # Compared as plain values: an author's own `__eq__` has no say.
        if name in fields and fields[name] != plain:
            raise invalid(f"manifest.py declares {name} twice, as {fields[name]!r:.100} and as {plain!r:.100}")
        fields[name] = plain
    return {name: value for name, value in fields.items() if value is not None}


def json_schema(name: str, schema: Any) -> Any:
    """Return the JSON Schema of a pydantic class; plain values pass through, to be judged by whoever asked."""
    if schema is None or isinstance(schema, Mapping):
        return schema or {}
    if isinstance(schema, (bool, int, float, str, list)):
        return schema
    describe = getattr(schema, "model_json_schema", None)
    if describe is None:
        raise invalid(f"{name} is a {_kind(schema)}; give a pydantic model class or a JSON Schema dict")
    return describe()


def jsonable(value: Any, where: str, count: Iterator[int] | None = None, depth: int = 0) -> Any:
    """Return a value in JSON's own types; raise Failure naming the place of one that has no JSON form.

    Args:
        count: counts values over several calls; mappings and lists of an author's own may have no end.
    """
    _check_size(where, 0 if count is None else next(count), depth)
    if type(value).__module__ == "numpy" and not isinstance(value, type):
        value = value.tolist()
    if isinstance(value, (Enum, PurePath)):
        return value.value if isinstance(value, Enum) else str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        pairs = ((str(key), item) for key, item in value.items())
        return {key: jsonable(item, f"{where}.{key}", count, depth + 1) for key, item in pairs}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, f"{where}[{index}]", count, depth + 1) for index, item in enumerate(value)]
    if not isinstance(value, type):
        if hasattr(value, "model_dump"):
            return jsonable(value.model_dump(mode="json", exclude_unset=True), where, count, depth + 1)
        if dataclasses.is_dataclass(value):
            return jsonable(dataclasses.asdict(cast("Any", value)), where, count, depth + 1)
    raise invalid(f"{where[:_MAX_PLACE]} is a {_kind(value)}, which JSON cannot hold")


def _check_size(where: str, number: int, depth: int) -> None:
    if number >= _MAX_VALUES:
        name = where.partition("[")[0][:_MAX_PLACE]
        raise invalid(f"{name} takes the manifest over {_MAX_VALUES:,} values; declare less")
    if depth > _MAX_DEPTH:
        raise invalid(f"{where[:_MAX_PLACE]} is nested deeper than {_MAX_DEPTH} levels")


def _metadata(value: Any, count: Iterator[int]) -> dict[str, Any]:
    if isinstance(value, Mapping):
        # Read once: what an author's own mapping says may differ the next time.
        given = {str(key): item for key, item in itertools.islice(value.items(), _MAX_VALUES + 1)}
        value = {key: json_schema(key, item) if key in SCHEMA_FIELDS else item for key, item in given.items()}
    plain = jsonable(value, "manifest.metadata", count)
    if not isinstance(plain, dict):
        raise invalid(f"metadata is a {_kind(value)}; write a dict")
    return plain


def _kind(value: Any) -> str:
    return f"class {value.__name__}" if isinstance(value, type) else type(value).__name__
