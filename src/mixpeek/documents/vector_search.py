"""The nearest documents of one or several indexes, filtered or not, as one statement.

The vectors of small indexes are scanned. Those of a large one are in partitions, each scanned or asked by its index;
the database merges their answers in order of distance, so that the result is complete at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

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
LEAST_CANDIDATES, MOST_CANDIDATES = 100, 1000
# A filter that passes one in so many is met on the way through an index; a rarer one is evaluated first.
SCANNED_PER_RESULT, LEAST_SCANNED, MOST_SCANNED = 100, 2000, 20_000


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
        return dict_rows(connection, statement.text(), params)
    _tune(connection, k, is_filtered=where is not None)
    rows = dict_rows(connection, statement.text(), params)
    if where is not None and len(rows) < k:
        # The indexes have not come upon enough that passes: look at all that does instead.
        rows = dict_rows(connection, statement.text(filter_first=True), params)
    return rows


def _tune(connection: Connection, k: int, *, is_filtered: bool) -> None:
    """Set how far the indexes look, for this transaction."""
    scanned = min(max(SCANNED_PER_RESULT * k, LEAST_SCANNED), MOST_SCANNED) if is_filtered else MOST_SCANNED
    connection.execute(
        "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true),"
        " set_config('hnsw.max_scan_tuples', %s, true)",
        [str(min(max(k, LEAST_CANDIDATES), MOST_CANDIDATES)), str(scanned)],
    )


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

    def text(self, *, filter_first: bool = False) -> str:
        parts = [self._shared_part()] if self._shared else []
        for place, layout in enumerate(self._large):
            own = self._filtered_part if filter_first else self._ordered_part
            parts.append(own(place, layout))
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

    def _ordered_part(self, place: int, layout: Layout) -> str:
        """Go through the vectors in order of distance, and look each one's document up where there is a filter."""
        joined = ""
        if self._passing is not None:
            # OFFSET keeps the planner from anything else, such as sorting what passes.
            joined = (
                f" CROSS JOIN LATERAL (SELECT FROM documents d WHERE {_of_index(place)}"
                f" AND d.document_id = v.document_id AND {self._passing} OFFSET 0) d"
            )
        embedding = self._embedding
        limit = self._limit if embedding.is_exact else self._limit * 4
        return (
            f"SELECT v.document_id, %(large_collection_{place})s AS collection_id, {self._distance} AS distance"
            f" FROM {layout.table} v{joined} WHERE {embedding.condition}"
            f" ORDER BY {embedding.order('%(vector)s')} LIMIT {limit}"
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
