"""When two objects are the same one: by their bucket's unique key, or by everything they hold. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.errors import InvalidRequest

_MISSING = object()


def unique_hash(
    unique_key: Mapping[str, Any] | None, fields: Mapping[str, Any], blobs: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the hash by which the database keeps a bucket's objects apart; None where the bucket has no unique key.

    A blob counts by its value, or, where that lies in the object store, by the hash of its content.

    Raises: InvalidRequest: the object lacks a field of the key.
    """
    if unique_key is None:
        return None
    values = [_value(path, fields, blobs) for path in unique_key["fields"]]
    missing = [path for path, value in zip(unique_key["fields"], values, strict=True) if value is _MISSING]
    if missing:
        raise InvalidRequest(
            f"The object lacks {', '.join(map(repr, missing))}, part of the bucket's unique key",
            hint="Send every field of the unique key",
        )
    return _hash(values)


def content_hash(fields: Mapping[str, Any], blobs: Sequence[Mapping[str, Any]]) -> str:
    """Return the hash of all that an object holds: equal for objects that hold the same.

    Raises: InvalidRequest: a number that is not finite, which JSON cannot hold.
    """
    held = [[blob["property"], blob["type"], blob["details"]["hash"]] for blob in blobs]
    return _hash([fields, held])


def canonical_json(value: Any) -> str:
    """Return the one text for a value, in ASCII, whatever the order of its keys.

    Raises: InvalidRequest: a number that is not finite, which JSON cannot hold.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InvalidRequest(
            "The object holds a number that is not finite", hint="Send a number, or null for one that is missing"
        ) from error


def root_name(path: str) -> str:
    """Return the property that a path of a unique key starts at: `metadata.isbn` → `isbn`."""
    return path.removeprefix("metadata.").split(".")[0]


def _value(path: str, fields: Mapping[str, Any], blobs: Sequence[Mapping[str, Any]]) -> Any:
    name, *inner = path.removeprefix("metadata.").split(".")
    value: Any = fields.get(name)
    for blob in blobs if value is None else ():
        if blob["property"] == name:
            value = blob["details"]["hash"] if blob["details"].get("is_asset") else blob["data"]
            break
    for part in inner:
        value = value.get(part) if isinstance(value, dict) else None
    return _MISSING if value is None else value


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
