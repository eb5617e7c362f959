"""SQL over retrievers."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, first_row
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface
from mixpeek.retrieval.models import Retriever

RETRIEVER = (
    "SELECT retriever_id, namespace_id, retriever_name, description, collection_ids, stages, input_schema, tags,"
    " version, created_at, updated_at FROM retrievers"
)
LISTING = Listing(
    RETRIEVER,
    Surface(
        columns={
            **{name: Column(name) for name in ("retriever_id", "retriever_name", "description", "collection_ids")},
            **{name: Column(name) for name in ("tags", "version")},
            **{name: Column(name, "json") for name in ("stages", "input_schema")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("retriever_id", "retriever_name", "description"),
    ),
    key=(("retriever_id", "text"),),
)


def insert_retriever(connection: Connection, retriever: dict[str, Any]) -> bool:
    """Insert a retriever; False when the namespace has one of this name."""
    cursor = connection.execute(
        "INSERT INTO retrievers (retriever_id, namespace_id, retriever_name, description, collection_ids, stages,"
        " input_schema, tags) VALUES (%(retriever_id)s, %(namespace_id)s, %(retriever_name)s, %(description)s,"
        " %(collection_ids)s, %(stages)s, %(input_schema)s, %(tags)s) ON CONFLICT DO NOTHING",
        {**retriever, "stages": Jsonb(retriever["stages"]), "input_schema": Jsonb(retriever["input_schema"])},
    )
    return cursor.rowcount == 1


def find_retriever(connection: Connection, namespace_id: str, identifier: str) -> Retriever | None:
    return first_row(
        connection,
        Retriever,
        f"{RETRIEVER} WHERE namespace_id = %s AND %s IN (retriever_id, retriever_name)"
        " ORDER BY (retriever_id = %s) DESC LIMIT 1",
        [namespace_id, identifier, identifier],
    )


def list_retrievers(connection: Connection, namespace_id: str, query: Query) -> Found[Retriever]:
    return list_rows(
        connection, Retriever, LISTING, query, "namespace_id = %(namespace_id)s", {"namespace_id": namespace_id}
    )
