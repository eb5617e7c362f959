"""SQL over retrievers, their versions, what they search, and scrolls under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found, Listing, list_rows
from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, insert_new
from mixpeek.documents.port import Premise
from mixpeek.filters.query import Query
from mixpeek.filters.surface import Column, Surface
from mixpeek.retrieval.models import Retriever
from mixpeek.retrieval.targets import Target

RETRIEVER = (
    "SELECT retriever_id, namespace_id, retriever_name, description, collection_ids, stages, input_schema,"
    " budget_limits, tags, visibility, display_config, dependencies, version, created_at, updated_at FROM retrievers"
)
LISTING = Listing(
    RETRIEVER,
    Surface(
        columns={
            **{name: Column(name) for name in ("retriever_id", "retriever_name", "description", "collection_ids")},
            **{name: Column(name) for name in ("tags", "version", "visibility")},
            **{name: Column(name, "json") for name in ("stages", "input_schema", "budget_limits", "display_config")},
            **{name: Column(name, "time") for name in ("created_at", "updated_at")},
        },
        searched=("retriever_id", "retriever_name", "description"),
    ),
    key=(("retriever_id", "text"),),
)
# Unlike a collection's own row this counts no documents, as every search asks for it.
TARGET = (
    "SELECT c.collection_id, c.collection_name, c.live_generation AS generation, g.plugin_namespace, g.plugin_id,"
    " g.code_hash, g.parameters, g.features, c.feature_extractor->>'feature_extractor_name' AS extractor,"
    " c.former_features AS former"
    " FROM collections c JOIN collection_generations g"
    " ON g.collection_id = c.collection_id AND g.generation = c.live_generation"
)
JSON = frozenset({"stages", "input_schema", "budget_limits", "display_config", "dependencies"})


def insert_retriever(connection: Connection, retriever: dict[str, Any]) -> bool:
    """Insert a retriever; False when the namespace has one of this name."""
    return insert_new(connection, "retrievers", retriever, JSON)


def find_retriever(
    connection: Connection, namespace_id: str, identifier: str, *, lock: bool = False
) -> Retriever | None:
    return first_row(
        connection,
        Retriever,
        f"{RETRIEVER} WHERE namespace_id = %s AND %s IN (retriever_id, retriever_name)"
        f" ORDER BY (retriever_id = %s) DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        [namespace_id, identifier, identifier],
    )


@dataclass(frozen=True)
class WithTargets:
    """A retriever, the live generations of its collections in their order, and what holds while these rows do."""

    retriever: Retriever
    targets: list[Target]
    premise: Premise


def find_with_targets(connection: Connection, namespace_id: str, identifier: str) -> WithTargets | None:
    """Return a retriever and what it searches, in one round trip."""
    found = dict_rows(
        connection,
        "SELECT r.*, (SELECT coalesce(json_agg(t), '[]') FROM ("
        f"{TARGET} WHERE c.namespace_id = r.namespace_id AND c.collection_id = ANY(r.collection_ids)) t) AS targets,"
        " (SELECT k.xmin::text FROM retrievers k WHERE k.retriever_id = r.retriever_id) AS row,"
        " (SELECT coalesce(json_object_agg(c.collection_id, c.xmin::text), '{}') FROM collections c"
        " WHERE c.collection_id = ANY(r.collection_ids)) AS collection_rows"
        f" FROM ({RETRIEVER} WHERE namespace_id = %(namespace)s AND %(named)s IN (retriever_id, retriever_name)"
        " ORDER BY (retriever_id = %(named)s) DESC LIMIT 1) r",
        {"namespace": namespace_id, "named": identifier},
    )
    if not found:
        return None
    [row] = found
    own, rows = row.pop("row"), row.pop("collection_rows")
    targets = {target["collection_id"]: Target(**target) for target in row.pop("targets")}
    retriever = Retriever(**row)
    return WithTargets(
        retriever,
        [targets[each] for each in dict.fromkeys(retriever.collection_ids) if each in targets],
        _unchanged(retriever.retriever_id, own, rows),
    )


def _unchanged(retriever_id: str, row: str, collection_rows: dict[str, str]) -> Premise:
    """Return that a retriever and collections are still in the rows that were read: each change makes another."""
    parts = ["(SELECT xmin FROM retrievers WHERE retriever_id = %(known)s) = %(known_row)s::xid"]
    params = {"known": retriever_id, "known_row": row}
    for place, (collection_id, collection_row) in enumerate(collection_rows.items()):
        parts.append(
            f"(SELECT xmin FROM collections WHERE collection_id = %(known_{place})s) = %(known_row_{place})s::xid"
        )
        params |= {f"known_{place}": collection_id, f"known_row_{place}": collection_row}
    return Premise(" AND ".join(parts), params)


def list_retrievers(connection: Connection, namespace_id: str, query: Query) -> Found[Retriever]:
    return list_rows(
        connection, Retriever, LISTING, query, "namespace_id = %(namespace_id)s", {"namespace_id": namespace_id}
    )


def update_retriever(connection: Connection, retriever_id: str, changed: dict[str, Any]) -> None:
    """Change what may be changed, and keep what was before as a version of its own."""
    connection.execute(
        "INSERT INTO retriever_versions (retriever_id, version, retriever_name, description, tags, visibility,"
        " display_config, created_at) SELECT retriever_id, version, retriever_name, description, tags, visibility,"
        " display_config, updated_at FROM retrievers WHERE retriever_id = %s",
        [retriever_id],
    )
    connection.execute(
        "UPDATE retrievers SET retriever_name = %(retriever_name)s, description = %(description)s, tags = %(tags)s,"
        " visibility = %(visibility)s, display_config = %(display_config)s, version = version + 1, updated_at = now()"
        " WHERE retriever_id = %(retriever_id)s",
        {
            **changed,
            "display_config": None if changed["display_config"] is None else Jsonb(changed["display_config"]),
            "retriever_id": retriever_id,
        },
    )


def delete_retriever(connection: Connection, retriever_id: str) -> None:
    connection.execute("DELETE FROM retrievers WHERE retriever_id = %s", [retriever_id])


def list_versions(connection: Connection, retriever_id: str) -> list[dict[str, Any]]:
    """Return the versions before the current one, the latest first."""
    return dict_rows(
        connection,
        "SELECT version, retriever_name, description, tags, visibility, display_config, created_at"
        " FROM retriever_versions WHERE retriever_id = %s ORDER BY version DESC LIMIT 1000",
        [retriever_id],
    )


def list_targets(connection: Connection, namespace_id: str, identifiers: Sequence[str]) -> list[Target]:
    """Return the live generations of collections, by id or name, in the order named; absent ones are left out."""
    found = all_rows(
        connection,
        Target,
        f"{TARGET} WHERE c.namespace_id = %(namespace)s"
        " AND (c.collection_id = ANY(%(wanted)s) OR c.collection_name = ANY(%(wanted)s))",
        {"namespace": namespace_id, "wanted": list(identifiers)},
    )
    by_name = {name: each for each in found for name in (each.collection_name,)}
    by_name |= {each.collection_id: each for each in found}
    return list({by_name[name].collection_id: by_name[name] for name in identifiers if name in by_name}.values())


def insert_scroll(connection: Connection, scroll: dict[str, Any], ttl_s: int) -> None:
    """Keep the results of an execution for a while, and forget those whose time is over."""
    connection.execute("DELETE FROM retriever_scrolls WHERE expires_at < now()")
    connection.execute(
        "INSERT INTO retriever_scrolls (scroll_id, namespace_id, fingerprint, results, generations, expires_at)"
        " VALUES (%(scroll_id)s, %(namespace_id)s, %(fingerprint)s, %(results)s, %(generations)s,"
        " now() + make_interval(secs => %(ttl)s))",
        {
            **scroll,
            "results": Jsonb(scroll["results"]),
            "generations": Jsonb(scroll["generations"]),
            "ttl": ttl_s,
        },
    )


def find_scroll(connection: Connection, namespace_id: str, scroll_id: str, ttl_s: int) -> dict[str, Any] | None:
    """Return the results of a scroll, which then lives on; None when its time is over."""
    found = dict_rows(
        connection,
        "UPDATE retriever_scrolls SET expires_at = now() + make_interval(secs => %s)"
        " WHERE scroll_id = %s AND namespace_id = %s AND expires_at >= now()"
        " RETURNING fingerprint, results, generations",
        [ttl_s, scroll_id, namespace_id],
    )
    return found[0] if found else None
