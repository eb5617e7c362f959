"""From an object to the rows a processor sees. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixpeek.batches.models import Outcome, Row
from mixpeek.catalog.models import StoredObject
from mixpeek.contract.columns import DATA, MIME_TYPE
from mixpeek.contract.pipeline import RowCondition
from mixpeek.execution.port import Step


@dataclass(frozen=True)
class Recipe:
    """The part of a collection that decides its rows."""

    collection_id: str
    extractor_id: str
    namespace_id: str
    input_mappings: dict[str, str]
    field_passthrough: list[dict[str, Any]]
    include_all_source_fields: bool


def document_id_from(collection_id: str, object_id: str, blob_key: str, position: int = 0) -> str:
    """Return the id of the document a row makes: the same row always makes the same document."""
    key = "\x1f".join([collection_id, object_id, blob_key, str(position)]).encode(errors="surrogatepass")
    return f"doc_{hashlib.sha256(key).hexdigest()[:24]}"


def rows_from_object(stored: StoredObject, recipe: Recipe) -> list[Row]:
    """Return one row per blob; with `input_mappings`, per blob of the first mapped property.

    A mapped field that is no blob makes a row too. An object without any of them makes none.
    """
    return [_row(stored, recipe, blob) for blob in _primary_blobs(stored, recipe.input_mappings)]


def split_by_steps(rows: Sequence[Row], steps: Sequence[Step]) -> tuple[list[Row], list[Outcome]]:
    """Return the rows that an enabled step takes, and as skipped those whose MIME type none does."""
    conditions = [RowCondition(step.condition) for step in steps if step.enabled]
    taken, skipped = [], []
    for row in rows:
        mime_type = row.columns[MIME_TYPE]
        if any(condition.matches(mime_type) for condition in conditions):
            taken.append(row)
        else:
            message = f"No enabled step takes {mime_type}; the pipeline takes {', '.join(sorted(set(conditions)))}"
            skipped.append(Outcome(row, "skipped", "no_matching_step", message, {}))
    return taken, skipped


def source_name(path: str) -> str:
    """Return the property or field that a mapping's path reads: `$.payload.title`, `metadata.title` → `title`."""
    return path.removeprefix("$.").removeprefix("payload.").removeprefix("metadata.").split(".")[0]


def _primary_blobs(stored: StoredObject, mappings: dict[str, str]) -> list[dict[str, Any]]:
    if not mappings:
        return stored.blobs
    name = source_name(next(iter(mappings.values())))
    blobs = [blob for blob in stored.blobs if blob["property"] == name]
    if not blobs and stored.fields.get(name) is not None:
        value = stored.fields[name]
        return [{"blob_id": None, "property": name, "type": "text", "data": value, "details": {}}]
    return blobs


def _row(stored: StoredObject, recipe: Recipe, blob: dict[str, Any]) -> Row:
    document_id = document_id_from(recipe.collection_id, stored.object_id, blob["blob_id"] or blob["property"])
    details = blob["details"]
    mime_type = details.get("mime_type", "text/plain")
    mapped = {key: _value(stored, blob, source_name(path)) for key, path in recipe.input_mappings.items()}
    columns = {
        DATA: blob["data"],
        blob["property"]: blob["data"],
        **mapped,
        "document_id": document_id,
        "object_id": stored.object_id,
        "blob_id": blob["blob_id"] or "",
        "blob_property": blob["property"],
        "blob_type": blob["type"],
        "collection_id": recipe.collection_id,
        "feature_extractor_id": recipe.extractor_id,
        "mime_type": mime_type,
        "size_bytes": 0 if mime_type == "text/plain" else details.get("size_bytes", 0),
    }
    return Row(
        document_id=document_id,
        object_id=stored.object_id,
        blob_id=blob["blob_id"],
        columns=columns,
        passthrough=_passthrough(stored, recipe),
        internal=_internal(stored, recipe, blob, document_id, mime_type),
    )


def _value(stored: StoredObject, blob: dict[str, Any], name: str) -> Any:
    if blob["property"] == name:
        return blob["data"]
    for other in stored.blobs:
        if other["property"] == name:
            return other["data"]
    return stored.fields.get(name)


def _passthrough(stored: StoredObject, recipe: Recipe) -> dict[str, Any]:
    values = {**{blob["property"]: blob["data"] for blob in stored.blobs}, **stored.fields}
    passed = dict(values) if recipe.include_all_source_fields else {}
    for item in recipe.field_passthrough:
        name = source_name(item["source_path"])
        value = values.get(name, item.get("default"))
        for part in item["source_path"].removeprefix("$.").removeprefix("metadata.").split(".")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
        passed[item.get("target_path") or item["source_path"].split(".")[-1]] = value
    return passed


def _internal(
    stored: StoredObject, recipe: Recipe, blob: dict[str, Any], document_id: str, mime_type: str
) -> dict[str, Any]:
    return {
        "namespace_id": recipe.namespace_id,
        "document_id": document_id,
        "collection_id": recipe.collection_id,
        "modality": blob["type"],
        "mime_type": mime_type,
        "size_bytes": blob["details"].get("size_bytes", 0),
        "content_hash": blob["details"].get("hash"),
        "lineage": {
            "root_object_id": stored.object_id,
            "root_bucket_id": stored.bucket_id,
            "source_type": "bucket",
            "source_object_id": stored.object_id,
            "source_document_id": None,
            "source_collection_id": None,
            "path": f"{stored.bucket_id}/{recipe.collection_id}",
        },
        "source_blobs": [{"blob_id": blob["blob_id"], "blob_property": blob["property"], "blob_type": blob["type"]}],
        "metadata": {"ingestion_status": "COMPLETED"},
    }
