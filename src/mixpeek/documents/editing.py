"""What users may set on documents, and how a change is laid over what is stored. Pure."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

from mixpeek.errors import InvalidRequest
from mixpeek.text import fault_of_text

# Where a document comes from; names that filters understand at the root as well.
LINEAGE = (
    "root_object_id",
    "root_bucket_id",
    "source_type",
    "source_object_id",
    "source_document_id",
    "source_collection_id",
)
_WHY = {
    "document_id": "ids never change",
    "collection_id": "a document stays in its collection",
    "_internal": "it is written by the platform",
    "_vectors": "vectors are made by the extractor",
    "vectors": "vectors are made by the extractor",
    "document_blobs": "blobs are written by the platform",
    "source_blobs": "blobs are written by the platform",
    **dict.fromkeys((*LINEAGE, "lineage_path", "lineage_chain"), "lineage is written by the platform"),
}


def check_fields(fields: dict[str, Any], vector_names: Collection[str]) -> None:
    """Refuse fields that are not a user's to set.

    Raises: InvalidRequest: naming each of them, or text that cannot be stored.
    """
    faults: list[dict[str, Any]] = []
    for name in fields:
        first = name.partition(".")[0]
        why = "vectors are made by the extractor" if first in vector_names else _WHY.get(first)
        if why is None and (not name or not all(name.split("."))):
            why = "a field has a name, and so has each part of a path"
        if why is not None:
            faults.append({"type": "reserved_field", "location": ["body", name], "message": f"{name!r}: {why}"})
    if faults:
        raise InvalidRequest(
            "; ".join(fault["message"] for fault in faults),
            hint="Send only fields of your own and those that the extractor made",
            validation_errors=faults,
        )
    fault = fault_of_text(fields)
    if fault:
        raise InvalidRequest(f"The fields cannot be stored: {fault}", hint="Remove it from the text and send it again")


def with_fields(payload: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a payload with fields set; `a.b` sets `b` within `a`, unless there is a field of that very name."""
    changed = dict(payload)
    for name, value in fields.items():
        first, *inner = name.split(".")
        if not inner or name in changed:
            changed[name] = value
            continue
        place = changed[first] = copy.deepcopy(changed.get(first))
        if not isinstance(place, dict):
            place = changed[first] = {}
        for step in inner[:-1]:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[inner[-1]] = value
    return changed


def selected(
    document: dict[str, Any], fields: Collection[str], ids: Collection[str] = ("document_id", "collection_id")
) -> dict[str, Any]:
    """Return a document, as it is answered, with its ids and the named fields only; `a.b` keeps `b` within `a`."""
    kept: dict[str, Any] = {name: document[name] for name in ids}
    for name in fields:
        if name in document:
            kept[name] = document[name]
            continue
        value: Any = document
        path = name.split(".")
        for step in path:
            value = value.get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
        if value is _ABSENT:
            continue
        place = kept
        for step in path[:-1]:
            inner = place.get(step)
            place[step] = place = dict(inner) if isinstance(inner, dict) else {}
        place[path[-1]] = value
    return kept


_ABSENT = object()
