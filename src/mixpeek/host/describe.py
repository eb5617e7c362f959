"""Reads manifest.py into plain JSON, whichever of the documented styles it is written in.

Nothing is judged here: unknown keys travel on as they are, so that the caller can refuse them by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import ModuleType
from typing import Any, cast

from mixpeek.contract.fields import MANIFEST_FIELDS, SCHEMA_FIELDS
from mixpeek.host.failures import invalid


def read_manifest(module: ModuleType) -> dict[str, Any]:
    """Return the manifest's fields as JSON-able values; raise Failure for one that JSON cannot say."""
    declared = vars(module)
    fields = _metadata(declared.get("metadata", {}))
    for name in MANIFEST_FIELDS:
        if name not in declared:
            continue
        if name in fields and fields[name] != declared[name]:
            raise invalid(f"manifest.py declares {name} twice, as {fields[name]!r} and as {declared[name]!r}")
        fields[name] = declared[name]
    for name in SCHEMA_FIELDS:
        if name in fields:
            fields[name] = json_schema(name, fields[name])
    return {name: jsonable(value, f"manifest.{name}") for name, value in fields.items() if value is not None}


def json_schema(name: str, schema: Any) -> Any:
    """Return the JSON Schema of a pydantic class; a dict passes through."""
    if schema is None or isinstance(schema, Mapping):
        return schema or {}
    describe = getattr(schema, "model_json_schema", None)
    if describe is None:
        raise invalid(f"{name} is a {_kind(schema)}; give a pydantic model class or a JSON Schema dict")
    return describe()


def jsonable(value: Any, where: str) -> Any:
    """Return a value in JSON's own types; raise Failure naming the place of one that has no JSON form."""
    if isinstance(value, (Enum, PurePath)):
        return value.value if isinstance(value, Enum) else str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): jsonable(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, type):
        if hasattr(value, "model_dump"):
            return jsonable(value.model_dump(mode="json", exclude_unset=True), where)
        if dataclasses.is_dataclass(value):
            return jsonable(dataclasses.asdict(cast("Any", value)), where)
    raise invalid(f"{where} is a {_kind(value)}, which JSON cannot hold")


def _metadata(value: Any) -> dict[str, Any]:
    plain = value if isinstance(value, Mapping) else jsonable(value, "manifest.metadata")
    if not isinstance(plain, Mapping):
        raise invalid(f"metadata is a {_kind(value)}; write a dict")
    return {str(key): item for key, item in plain.items()}


def _kind(value: Any) -> str:
    return f"class {value.__name__}" if isinstance(value, type) else type(value).__name__
