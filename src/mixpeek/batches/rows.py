"""From an object, or a document of another collection, to the rows a processor sees. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mixpeek.batches.models import Outcome, Row
from mixpeek.catalog.models import ObjectContents, StoredObject
from mixpeek.collections.mappings import InputMapping, first_payload, source_name, value_at
from mixpeek.contract.columns import DATA, MIME_TYPE
from mixpeek.contract.pipeline import RowCondition
from mixpeek.documents.port import Document
from mixpeek.execution.port import Step
from mixpeek.objects.assets import key_from_asset_url

Contents = ObjectContents | StoredObject

TEXT = "text/plain"
# Kinds of field whose value is text itself; others, such as `image`, hold the address of a file.
TEXT_KINDS = frozenset({"text", "string"})
FILE_KINDS = frozenset({"image", "audio", "video", "pdf", "excel"})


@dataclass(frozen=True)
class Recipe:
    """The part of a collection that decides its rows."""

    collection_id: str
    extractor_id: str
    namespace_id: str
    input_mappings: tuple[InputMapping, ...]
    field_passthrough: list[dict[str, Any]]
    include_all_source_fields: bool
    source_fields: Mapping[str, Any] = field(default_factory=dict)  # the source's schema: field → {type, …}
    began_at: str | None = None  # ISO 8601, of the batch: the same however often its chunks are run

    @cached_property
    def primary(self) -> InputMapping | None:
        """The mapping that decides what rows there are, and what their `data` is."""
        return first_payload(self.input_mappings)


def document_id_from(collection_id: str, source_id: str, blob_key: str, position: int = 0) -> str:
    """Return the id of the document a row makes: the same row always makes the same document.

    Args:
        source_id: the object, or the document of another collection, that the row comes from.
        blob_key: which of the source's values it holds.
        position: which of the row's parts it is, if its extractor explodes.
    """
    key = "\x1f".join([collection_id, source_id, blob_key, str(position)]).encode(errors="surrogatepass")
    return f"doc_{hashlib.sha256(key).hexdigest()[:24]}"


def rows_from_object(contents: Contents, recipe: Recipe) -> list[Row]:
    """Return one row per blob; with `input_mappings`, per blob of the first mapped property.

    A mapped field that is no blob makes a row too. An object without any of them makes none.
    """
    values = _values(contents)
    return [_row_from_blob(contents, recipe, blob, values) for blob in _primary_blobs(contents, recipe, values)]


def row_from_document(source: Document, recipe: Recipe) -> Row:
    """Return the row of a document of another collection; its `data` is the first mapped field, None if it has none."""
    primary = recipe.primary
    name = source_name(primary.path, source.payload) if primary else ""
    data = value_at(source.payload, primary.path) if primary else None
    kind, mime_type = _kind_of(source, recipe, name)
    identifier = document_id_from(recipe.collection_id, source.document_id, name)
    lineage = source.internal["lineage"]
    columns = {
        DATA: data,
        **({name: source.payload.get(name)} if name else {}),
        **_mapped(recipe, source.payload, source.vectors),
        **_columns(recipe, identifier, lineage["root_object_id"], kind=kind, mime_type=mime_type),
        "blob_id": "",
        "blob_property": name,
        "size_bytes": 0,
    }
    raw = data.encode(errors="surrogatepass") if isinstance(data, str) else b""
    internal = {
        **_internal(recipe, identifier, kind=kind, mime_type=mime_type),
        "size_bytes": len(raw),
        "content_hash": hashlib.sha256(raw).hexdigest() if raw else None,
        "lineage": {
            "root_object_id": lineage["root_object_id"],
            "root_bucket_id": lineage["root_bucket_id"],
            "source_type": "collection",
            "source_object_id": None,
            "source_document_id": source.document_id,
            "source_collection_id": source.collection_id,
            "path": f"{lineage['path']}/{recipe.collection_id}",
            "position": 0,
            "chain": [*lineage.get("chain", []), _link(recipe, identifier)],
        },
        "source_blobs": source.internal.get("source_blobs", []),
    }
    return Row(
        document_id=identifier,
        object_id=lineage["root_object_id"],
        blob_id=None,
        columns=columns,
        passthrough=_passthrough(source.payload, recipe),
        internal=internal,
        source_document_id=source.document_id,
        blob_key=name,
    )


def part_of(row: Row, position: int) -> Row:
    """Return the row as the one that makes its part at `position`, which has an id and a place of its own."""
    if position == 0:
        return row
    source_id = row.source_document_id or row.object_id
    identifier = document_id_from(row.internal["collection_id"], source_id, row.blob_key, position)
    lineage = row.internal["lineage"]
    chain = [*lineage["chain"][:-1], {**lineage["chain"][-1], "document_id": identifier}]
    internal = {
        **row.internal,
        "document_id": identifier,
        "lineage": {**lineage, "position": position, "chain": chain},
    }
    return dataclasses.replace(row, document_id=identifier, internal=internal, part_of=row.document_id)


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


def split_incomplete(rows: Sequence[Row], recipe: Recipe) -> tuple[list[Row], list[Outcome]]:
    """Return the rows that have what the collection asks of a source, and why each other one is not run."""
    primary = recipe.primary
    required = [_target(item) for item in recipe.field_passthrough if item.get("required")]
    complete, outcomes = [], []
    for row in rows:
        lacking = [name for name in required if row.passthrough.get(name) is None]
        if lacking:
            message = f"The source has no {', '.join(map(repr, lacking))}, which `field_passthrough` requires"
            outcomes.append(Outcome(row, "failed", "missing_required_field", message, {}))
        elif row.source_document_id is not None and primary is not None and row.columns[DATA] is None:
            message = f"Document {row.source_document_id} has nothing at {primary.path!r}, which the extractor reads"
            outcomes.append(Outcome(row, "skipped", "missing_input", message, {}))
        else:
            complete.append(row)
    return complete, outcomes


def _primary_blobs(stored: Contents, recipe: Recipe, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    primary = recipe.primary
    if primary is None:
        return stored.blobs
    name = source_name(primary.path, values)
    blobs = [blob for blob in stored.blobs if blob["property"] == name]
    if not blobs and stored.fields.get(name) is not None:
        return [{"blob_id": None, "property": name, "type": "text", "data": stored.fields[name], "details": {}}]
    return blobs


def _row_from_blob(stored: Contents, recipe: Recipe, blob: dict[str, Any], values: Mapping[str, Any]) -> Row:
    key = blob["blob_id"] or blob["property"]
    identifier = document_id_from(recipe.collection_id, stored.object_id, key)
    details = blob["details"]
    mime_type = details.get("mime_type", TEXT)
    if len(stored.blobs) > 1:
        values = {**values, blob["property"]: blob["data"]}
    primary = recipe.primary
    columns = {
        DATA: value_at(values, primary.path) if primary else blob["data"],
        blob["property"]: blob["data"],
        **(_mapped(recipe, values, {}) if recipe.input_mappings else {}),
        **_columns(recipe, identifier, stored.object_id, kind=blob["type"], mime_type=mime_type),
        "blob_id": blob["blob_id"] or "",
        "blob_property": blob["property"],
        "size_bytes": 0 if mime_type == TEXT else details.get("size_bytes", 0),
    }
    internal = {
        **_internal(recipe, identifier, kind=blob["type"], mime_type=mime_type),
        "size_bytes": details.get("size_bytes", 0),
        "content_hash": details.get("hash"),
        "lineage": {
            "root_object_id": stored.object_id,
            "root_bucket_id": stored.bucket_id,
            "source_type": "bucket",
            "source_object_id": stored.object_id,
            "source_document_id": None,
            "source_collection_id": None,
            "path": f"{stored.bucket_id}/{recipe.collection_id}",
            "position": 0,
            "chain": [_link(recipe, identifier)],
        },
        "source_blobs": [_reference(blob)],
    }
    return Row(
        document_id=identifier,
        object_id=stored.object_id,
        blob_id=blob["blob_id"],
        columns=columns,
        passthrough=_passthrough(values, recipe),
        internal=internal,
        blob_key=key,
    )


def _reference(blob: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a document says of the blob it was made of; of a stored one also what it is called."""
    named = {"blob_id": blob["blob_id"], "blob_property": blob["property"], "blob_type": blob["type"]}
    key = key_from_asset_url(blob["data"]) if isinstance(blob["data"], str) else None
    return named if key is None else {**named, "filename": key.rpartition("/")[2]}


def _columns(recipe: Recipe, identifier: str, object_id: str, *, kind: str, mime_type: str) -> dict[str, Any]:
    """Return the system columns that rows of either source have; no field of a source may stand in their place."""
    return {
        "document_id": identifier,
        "object_id": object_id,
        "blob_type": kind,
        "collection_id": recipe.collection_id,
        "feature_extractor_id": recipe.extractor_id,
        "mime_type": mime_type,
    }


def _internal(recipe: Recipe, identifier: str, *, kind: str, mime_type: str) -> dict[str, Any]:
    return {
        "namespace_id": recipe.namespace_id,
        "document_id": identifier,
        "collection_id": recipe.collection_id,
        "modality": kind,
        "mime_type": mime_type,
        "metadata": {"ingestion_status": "COMPLETED"},
    }


def _link(recipe: Recipe, identifier: str) -> dict[str, Any]:
    """Return the step of a lineage that this collection adds."""
    return {
        "collection_id": recipe.collection_id,
        "feature_extractor_id": recipe.extractor_id,
        "document_id": identifier,
        "timestamp": recipe.began_at,
    }


def _kind_of(source: Document, recipe: Recipe, name: str) -> tuple[str, str]:
    """Return the kind and the MIME type of a field of a document: text, unless its schema says that it is a file."""
    kind = recipe.source_fields.get(name, {}).get("type")
    if kind not in FILE_KINDS:
        return "text", TEXT
    if source.internal.get("modality") == kind:
        return kind, source.internal["mime_type"]
    return kind, "application/pdf" if kind == "pdf" else f"{kind}/*"


def _mapped(recipe: Recipe, values: Mapping[str, Any], vectors: Mapping[str, Any]) -> dict[str, Any]:
    def read(mapping: InputMapping) -> Any:
        if mapping.source_type == "literal":
            return mapping.override
        return vectors.get(mapping.path) if mapping.source_type == "vector" else value_at(values, mapping.path)

    return {mapping.input_key: read(mapping) for mapping in recipe.input_mappings}


def _values(stored: Contents) -> dict[str, Any]:
    """Return an object's fields and blobs by name; of several blobs of a property the first."""
    return {**stored.fields, **{blob["property"]: blob["data"] for blob in reversed(stored.blobs)}}


def _passthrough(values: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    passed = dict(values) if recipe.include_all_source_fields else {}
    for item in recipe.field_passthrough:
        found = value_at(values, item["source_path"])
        passed[_target(item)] = item.get("default") if found is None else found
    return passed


def _target(item: Mapping[str, Any]) -> str:
    return str(item.get("target_path") or item["source_path"].split(".")[-1])
