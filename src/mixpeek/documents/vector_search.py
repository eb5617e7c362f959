"""The nearest documents of one or several indexes, filtered or not, as one statement.

The vectors of small indexes are scanned. Those of a large one are in partitions, each scanned or asked by its index;
the database merges their answers in order of distance, so that the result is complete at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from psycopg.rows import dict_row

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.db.time_limit import time_limit
from mixpeek.documents import segment_queries
from mixpeek.documents.listing import SURFACE
from mixpeek.documents.port import Hit, Index, Metric
from mixpeek.documents.segment_queries import Layout
from mixpeek.documents.vector_columns import OPERATORS, Embedding
from mixpeek.filters.model import Filter
from mixpeek.filters.sql import Fragment, compile_filter

# How many candidates HNSW keeps, at the least; at most it takes this many.
LEAST_CANDIDATES, MOST_CANDIDATES = 200, 1000
# A filter is tried on so many documents. If it lets enough of them pass, the nearest vectors are looked up until enough
# pass, four times as many as it should take at most; a rarer one is evaluated over all documents first.
SAMPLE, WORTH_LOOKING, CAUTION = 400, 1000, 4


def search(
    connection: Connection,
    indexes: Sequence[Index],
    embedding: Embedding,
    vector: Sequence[float],
    k: int,
    *,
    where: Filter | None = None,
) -> list[Hit]:
    """See `DocumentStore.search`."""
    if not indexes:
        return []
    with time_limit(connection) if where is not None else nullcontext():
        while True:
            layouts = segment_queries.layouts(connection, indexes)
            rows = _rows(connection, layouts, embedding, vector, k, where)
            # Nothing comes of a layout that changed between the two statements.
            if rows or layouts == segment_queries.layouts(connection, indexes):
                break
    return [Hit(row["document_id"], row["collection_id"], _score(row["distance"], embedding.metric)) for row in rows]


def _rows(
    connection: Connection,
    layouts: Sequence[Layout],
    embedding: Embedding,
    vector: Sequence[float],
    k: int,
    where: Filter | None,
) -> list[dict[str, Any]]:
    passing = Fragment("true") if where is None else compile_filter(where, SURFACE)
    large = any(layout.number is not None for layout in layouts)
    statement = _Statement(layouts, embedding, k, passing.text if where is not None else None)
    params = {**passing.params, **statement.params, "vector": _text(vector)}
    if not large:
        return (dict_rows if where is None else _planned_anew)(connection, statement.text(), params)
    if where is None:
        _tune(connection, k)
        return dict_rows(connection, statement.text(), params)
    looked_at = _until_passing(connection, statement, params, k)
    _tune(connection, looked_at)
    if looked_at <= WORTH_LOOKING:
        rows = _planned_anew(connection, statement.text(looked_at=looked_at * CAUTION), params)
        if len(rows) == k:
            return rows
    return _planned_anew(connection, statement.text(filter_first=True), params)


def _tune(connection: Connection, wanted: int) -> None:
    """Set how far the indexes look for so many vectors, for this transaction."""
    # Searches that run at the same time need the processors for themselves.
    connection.execute(
        "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true),"
        " set_config('max_parallel_workers_per_gather', '0', true)",
        [str(min(max(wanted, LEAST_CANDIDATES), MOST_CANDIDATES))],
    )


def _until_passing(connection: Connection, statement: _Statement, params: dict[str, Any], k: int) -> int:
    """Return how many vectors are looked at until `k` pass, judged by some of the documents."""
    [row] = _planned_anew(connection, statement.sample(), params)
    return int(k * row["tried"] / row["passing"]) if row["passing"] else WORTH_LOOKING + 1


def _planned_anew(connection: Connection, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    # A plan for any filter is a bad one for most.
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params, prepare=False).fetchall()


class _Statement:
    """The statement of a search; `passing` is the condition of a filter over the columns of `documents`."""

    def __init__(self, layouts: Sequence[Layout], embedding: Embedding, k: int, passing: str | None) -> None:
        self._embedding = embedding
        self._limit = int(k)
        self._passing = passing
        self._shared = [layout.index for layout in layouts if layout.is_shared]
        self._large = [layout for layout in layouts if layout.number is not None]
        self.params: dict[str, Any] = {
            "feature": embedding.name,
            "all_collections": [layout.index.collection_id for layout in layouts],
            "all_generations": [layout.index.generation for layout in layouts],
            "large": len(self._large),
        }
        for name, indexes in (("shared", self._shared), ("large", [layout.index for layout in self._large])):
            for place, index in enumerate(indexes):
                self.params[f"{name}_collection_{place}"] = index.collection_id
                self.params[f"{name}_generation_{place}"] = index.generation
        if len(self._shared) > 1:
            self.params["collections"] = [index.collection_id for index in self._shared]
            self.params["generations"] = [index.generation for index in self._shared]

    def text(self, *, looked_at: int = 0, filter_first: bool = False) -> str:
        """Return it whole: with a filter, either tried on so many of the nearest, or on all documents first."""
        parts = [self._shared_part()] if self._shared else []
        for place, layout in enumerate(self._large):
            if filter_first:
                parts.append(self._filtered_part(place, layout))
            else:
                parts.append(self._ordered_part(place, layout, looked_at))
        # Those that became large since they were looked up have left the shared table, perhaps.
        unchanged = (
            "(SELECT count(*) FROM large_indexes l WHERE (l.collection_id, l.generation) IN (SELECT * FROM"
            " unnest(%(all_collections)s::text[], %(all_generations)s::int[]))) = %(large)s"
        )
        return (
            f"SELECT document_id, collection_id, distance FROM ({' UNION ALL '.join(f'({part})' for part in parts)})"
            f" found WHERE {unchanged} ORDER BY distance, document_id LIMIT {self._limit}"
        )

    def _shared_part(self) -> str:
        # One look into the key per index, whatever the planner takes the table for.
        place = "v.collection_id = %(shared_collection_0)s AND v.generation = %(shared_generation_0)s"
        around = "{}"
        if len(self._shared) > 1:
            place = "v.collection_id = i.collection_id AND v.generation = i.generation"
            around = (
                "SELECT near.* FROM unnest(%(collections)s::text[], %(generations)s::int[])"
                " i (collection_id, generation) CROSS JOIN LATERAL ({}) near"
            )
        passing = self._exists("v.collection_id", "v.generation")
        return around.format(
            "SELECT v.document_id, v.collection_id,"
            f" v.embedding {OPERATORS[self._embedding.metric]} %(vector)s::vector AS distance"
            f" FROM document_vectors v WHERE {place} AND v.feature = %(feature)s{passing}"
            f" ORDER BY distance, document_id LIMIT {self._limit}"
        )

    def _exists(self, collection: str, generation: str) -> str:
        if self._passing is None:
            return ""
        return (
            f" AND EXISTS (SELECT FROM documents d WHERE d.collection_id = {collection}"
            f" AND d.generation = {generation} AND d.document_id = v.document_id AND {self._passing})"
        )

    def sample(self) -> str:
        """Return the statement that tries the filter on some documents of a large index."""
        return (
            f"SELECT count(*) AS tried, count(*) FILTER (WHERE {self._passing}) AS passing"
            f" FROM (SELECT * FROM documents d WHERE {_of_index(0)} ORDER BY document_id LIMIT {SAMPLE}) d"
        )

    def _ordered_part(self, place: int, layout: Layout, looked_at: int) -> str:
        """Go through the vectors in order of distance, and look each one's document up where there is a filter."""
        embedding = self._embedding
        limit = self._limit if embedding.is_exact else self._limit * 4
        ordered = (
            f"SELECT v.document_id, %(large_collection_{place})s AS collection_id, {self._distance} AS distance"
            f" FROM {layout.table} v WHERE {embedding.condition} ORDER BY {embedding.order('%(vector)s')}"
        )
        if self._passing is None:
            return f"{ordered} LIMIT {limit}"
        return (
            f"SELECT v.* FROM ({ordered} LIMIT {looked_at}) v CROSS JOIN LATERAL (SELECT FROM documents d"
            f" WHERE {_of_index(place)} AND d.document_id = v.document_id AND {self._passing} OFFSET 0) d LIMIT {limit}"
        )

    def _filtered_part(self, place: int, layout: Layout) -> str:
        """Evaluate the filter over all documents, and compare the vectors of those that pass."""
        return (
            f"SELECT v.document_id, %(large_collection_{place})s AS collection_id, v.distance"
            f" FROM (SELECT document_id FROM documents d WHERE {_of_index(place)} AND {self._passing} OFFSET 0) d"
            f" CROSS JOIN LATERAL (SELECT v.document_id, {self._distance} AS distance FROM {layout.table} v"
            f" WHERE v.document_id = d.document_id AND {self._embedding.condition} OFFSET 0) v"
            f" ORDER BY distance, document_id LIMIT {self._limit}"
        )

    @property
    def _distance(self) -> str:
        dimensions = self._embedding.dimensions
        operator = OPERATORS[self._embedding.metric]
        return f"(v.embedding::vector({dimensions})) {operator} %(vector)s::vector({dimensions})"


def _of_index(place: int) -> str:
    return f"d.collection_id = %(large_collection_{place})s AND d.generation = %(large_generation_{place})s"


def _text(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


def _score(distance: float, metric: Metric) -> float:
    if metric == "cosine":
        return 1.0 - distance
    if metric == "dot":
        return -distance  # pgvector's `<#>` is the negative inner product, so that smaller is nearer
    return 1.0 / (1.0 + distance)
