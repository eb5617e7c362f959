"""Finding what a collection reads: its sources by id or name, the fields they have, and where those come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixpeek.catalog import service as catalog
from mixpeek.catalog.schemas import BucketSchema
from mixpeek.collections import queries
from mixpeek.collections.models import Collection
from mixpeek.collections.schemas import Source
from mixpeek.collections.source_filters import read_source_filter
from mixpeek.db.pool import Connection
from mixpeek.errors import InvalidRequest, NotFound


@dataclass(frozen=True)
class Found:
    """The sources of a collection: `source` as it is stored, `fields` as name → schema.

    `vectors` are the features of source documents; `is_open` tells that a source may have fields it does not declare.
    """

    source: dict[str, Any]
    fields: dict[str, Any]
    vectors: dict[str, Any]
    is_open: bool
    lineage: list[dict[str, Any]]
    bucket_schemas: dict[str, Any]


def find_sources(
    connection: Connection, namespace_id: str, source: Source, own_name: str, input_schema: BucketSchema | None
) -> Found:
    """Return what a new collection reads.

    Raises: NotFound: no such bucket or collection. InvalidRequest: sources that disagree about a field, the collection
    itself, or filters that are not served.
    """
    if source.source_filters is not None:
        read_source_filter(source.source_filters)
    filters = {"source_filters": source.source_filters} if source.source_filters else {}
    if source.type == "bucket":
        found = _buckets(connection, namespace_id, source.bucket_ids or [], filters)
    else:
        found = _collections(connection, namespace_id, source.collection_ids or [], own_name, filters)
    return found if input_schema is None else _declared(found, input_schema)


def _buckets(connection: Connection, namespace_id: str, names: Sequence[str], filters: dict[str, Any]) -> Found:
    buckets = {b.bucket_id: b for b in (catalog.get_bucket(connection, namespace_id, name) for name in names)}
    fields = _merged({b.bucket_name: b.bucket_schema["properties"] for b in buckets.values()})
    return Found(
        source={"type": "bucket", "bucket_ids": list(buckets), **filters},
        fields=fields,
        vectors={},
        is_open=False,
        lineage=[],
        bucket_schemas={bucket_id: bucket.bucket_schema for bucket_id, bucket in buckets.items()},
    )


def _collections(
    connection: Connection, namespace_id: str, names: Sequence[str], own_name: str, filters: dict[str, Any]
) -> Found:
    found: dict[str, Collection] = {}
    for name in names:
        collection = queries.find_collection(connection, namespace_id, name, lock=True)
        if collection is None and name == own_name:
            raise InvalidRequest(
                "A collection cannot read its own documents", hint="Name another collection in `source`"
            )
        if collection is None:
            raise NotFound("collection", name)
        found[collection.collection_id] = collection
    vectors = {index["name"]: index for one in found.values() for index in one.features}
    fields = _merged({one.collection_name: one.output_schema["properties"] for one in found.values()})
    stages: list[dict[str, Any]] = []
    buckets: dict[str, None] = {}
    for one in found.values():
        stages += [stage for stage in one.source_lineage if stage not in stages]
        buckets |= dict.fromkeys(one.source.get("bucket_ids") or one.source.get("inherited_bucket_ids", []))
    return Found(
        source={
            "type": "collection",
            "collection_ids": list(found),
            "inherited_bucket_ids": list(buckets),
            **filters,
        },
        fields={name: schema for name, schema in fields.items() if name not in vectors},
        vectors=vectors,
        # An extractor that declares no outputs may write any: there is nothing to hold a field against.
        is_open=any(set(one.output_schema["properties"]) <= set(vectors) for one in found.values()),
        lineage=stages,
        bucket_schemas={},
    )


def _merged(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of several sources as one schema."""
    merged: dict[str, Any] = {}
    told_by: dict[str, str] = {}
    for source, fields in schemas.items():
        for name, schema in fields.items():
            before = merged.setdefault(name, schema)
            if before.get("type") != schema.get("type"):
                raise InvalidRequest(
                    f"{name!r} is {before.get('type')} in {told_by[name]} and {schema.get('type')} in {source}",
                    hint="Sources of one collection agree about the types of their fields; make a collection for each",
                )
            told_by.setdefault(name, source)
    return merged


def _declared(found: Found, declared: BucketSchema) -> Found:
    """Return the sources with only the fields that the collection's own `input_schema` names."""
    wanted = {name: field.model_dump(exclude_unset=True) for name, field in declared.properties.items()}
    lacking = sorted(set(wanted) - set(found.fields))
    if lacking and not found.is_open:
        raise InvalidRequest(
            f"`input_schema` names {', '.join(lacking)}, which no source has",
            hint=f"The sources have: {', '.join(sorted(found.fields))}",
        )
    return Found(found.source, wanted, found.vectors, found.is_open, found.lineage, found.bucket_schemas)
