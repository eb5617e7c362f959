"""Documents by filter, search and sort, one by one or in groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found, Listing, Statement, page_of, without_page
from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.db.time_limit import time_limit
from mixpeek.documents.port import Document, Group, Groups, Index, Stats
from mixpeek.documents.surface import SURFACE
from mixpeek.documents.value_marks import compile_marks
from mixpeek.errors import InvalidRequest
from mixpeek.filters.query import Position, Query, Sort
from mixpeek.filters.sql import compile_value

LISTING = Listing(
    "SELECT collection_id, generation, document_id, payload, internal, created_at, updated_at FROM documents",
    SURFACE,
    key=(("document_id", "text"),),
)


def statement_of(index: Index, query: Query) -> Statement:
    """Return the statement of a list of documents."""
    listing, params = LISTING, {"collection_id": index.collection_id, "generation": index.generation}
    marks = compile_marks(query.filter, index)
    if marks is not None:
        listing, params = replace(LISTING, source=f"{LISTING.source} WHERE {marks.text}"), {**params, **marks.params}
    return Statement(listing, query, "collection_id = %(collection_id)s AND generation = %(generation)s", params)


def list_documents(connection: Connection, index: Index, query: Query) -> Found[Document]:
    found = page_of(connection, statement_of(index, query))
    return Found([_document(row) for row in found.rows], found.after, found.total)


def list_groups(connection: Connection, index: Index, query: Query, field: str, each: int) -> Groups:
    """Return a page of groups in the order of their values, and the first `each` documents of every one."""
    order = Sort(f"group_by {field}")
    if query.after is not None and query.after.sort != order:
        raise InvalidRequest("The cursor belongs to another list", hint="Start without a cursor, or group as before")
    statement = statement_of(index, without_page(query))
    value = compile_value(field, SURFACE, prefix="group")
    grouped = f"COALESCE({value.text}, 'null')"
    params: dict[str, Any] = {**statement.params, **value.params}
    behind = ""
    if query.after is not None:
        behind = "WHERE group_value > %(group_after)s"
        params["group_after"] = Jsonb(query.after.value)
    with time_limit(connection):
        rows = dict_rows(
            connection,
            f"SELECT group_value, count(*) AS members FROM (SELECT {grouped} AS group_value {statement.everything()})"
            f" AS valued {behind} GROUP BY group_value ORDER BY group_value"
            " LIMIT %(group_limit)s OFFSET %(group_offset)s",
            {**params, "group_limit": query.limit + 1, "group_offset": query.offset},
        )
        page = rows[: query.limit]
        members = dict_rows(
            connection,
            f"SELECT * FROM (SELECT listed.*, {grouped} AS group_value, row_number() OVER"
            f" (PARTITION BY {grouped} ORDER BY {statement.order()}) AS place {statement.everything()}) AS placed"
            " WHERE place <= %(group_each)s AND group_value = ANY(%(group_values)s) ORDER BY place",
            {**params, "group_each": each, "group_values": [Jsonb(row["group_value"]) for row in page]},
        )
    groups = [
        Group(row["group_value"], row["members"], [_document(m) for m in members if _same_group(m, row)])
        for row in page
    ]
    after = Position((), order, page[-1]["group_value"]) if len(rows) > query.limit else None
    return Groups(groups, after)


def count_documents(connection: Connection, index: Index, query: Query, group_by: str | None) -> Stats:
    statement = statement_of(index, replace(without_page(query), sort=None))
    groups, params = "NULL", statement.params
    if group_by is not None:
        value = compile_value(group_by, SURFACE, prefix="group")
        groups, params = f"count(DISTINCT COALESCE({value.text}, 'null'))", {**params, **value.params}
    blobs = (
        "CASE jsonb_typeof(internal->'source_blobs') WHEN 'array' THEN jsonb_array_length(internal->'source_blobs') END"
    )
    with time_limit(connection):
        [row] = dict_rows(
            connection,
            f"SELECT count(*) AS documents, COALESCE(avg({blobs}), 0)::float AS blobs, {groups} AS groups"
            f" {statement.everything()}",
            params,
        )
    return Stats(row["documents"], round(row["blobs"], 3), row["groups"])


def find_parent(
    connection: Connection, namespace_id: str, collection_id: str, document_id: str
) -> dict[str, Any] | None:
    """Return `internal` of a document in the live generation of a collection of the namespace, None if it is gone."""
    found: dict[str, Any] | None = scalar(
        connection,
        "SELECT d.internal FROM documents d JOIN collections c ON c.collection_id = d.collection_id"
        " AND c.live_generation = d.generation"
        " WHERE c.namespace_id = %s AND d.collection_id = %s AND d.document_id = %s",
        [namespace_id, collection_id, document_id],
    )
    return found


def _document(row: dict[str, Any]) -> Document:
    names = ("document_id", "collection_id", "payload", "internal", "created_at", "updated_at")
    return Document(**{name: row[name] for name in names})


def _same_group(member: dict[str, Any], group: dict[str, Any]) -> bool:
    # `true` equals 1 in Python, and not in JSON.
    one, other = member["group_value"], group["group_value"]
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
