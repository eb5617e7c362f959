"""The nearest documents of one or several indexes, filtered or not, as one statement.

The vectors of small indexes are scanned. Those of a large one are in partitions, each scanned or asked by its index;
the database merges their answers in order of distance, so that the result is complete at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from mixpeek.db.pool import Connection, dict_rows, dict_rows_planned_anew
from mixpeek.db.time_limit import time_limit
from mixpeek.documents import segment_queries
from mixpeek.documents.port import Hit, Index, Metric
from mixpeek.documents.segment_queries import Layout
from mixpeek.documents.vector_columns import Embedding
from mixpeek.documents.vector_statement import SearchStatement
from mixpeek.filters.model import Filter

# How many candidates HNSW keeps, at the least; at most it takes this many.
LEAST_CANDIDATES, MOST_CANDIDATES = 200, 1000
# A filter is tried on some documents. If it lets enough of them pass, the nearest vectors are looked up until enough
# pass, four times as many as it should take at most; a rarer one is evaluated over all documents first, or over those
# that have the marks of its values.
WORTH_LOOKING, CAUTION = 1000, 4


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
    large = any(layout.number is not None for layout in layouts)
    statement = SearchStatement(layouts, embedding, k, where)
    params = {**statement.params, "vector": _text(vector)}
    if not large:
        return (dict_rows if where is None else dict_rows_planned_anew)(connection, statement.text(), params)
    if where is None:
        _tune(connection, k)
        return dict_rows(connection, statement.text(), params)
    looked_at = _until_passing(connection, statement, params, k)
    # The farthest candidates are the likeliest to be missed, and with a filter they count as much as the nearest.
    _tune(connection, 2 * looked_at)
    if looked_at <= WORTH_LOOKING:
        rows = dict_rows_planned_anew(connection, statement.text(looked_at=looked_at * CAUTION), params)
        if len(rows) == k:
            return rows
    return dict_rows_planned_anew(connection, statement.text(filter_first=True), params)


def _tune(connection: Connection, wanted: int) -> None:
    """Set how far the indexes look for so many vectors, for this transaction."""
    # Searches that run at the same time need the processors for themselves.
    connection.execute(
        "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true),"
        " set_config('max_parallel_workers_per_gather', '0', true)",
        [str(min(max(wanted, LEAST_CANDIDATES), MOST_CANDIDATES))],
    )


def _until_passing(connection: Connection, statement: SearchStatement, params: dict[str, Any], k: int) -> int:
    """Return how many vectors are looked at until `k` pass, judged by some of the documents."""
    [row] = dict_rows_planned_anew(connection, statement.sample(), params)
    return int(k * row["tried"] / row["passing"]) if row["passing"] else WORTH_LOOKING + 1


def _text(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


def _score(distance: float, metric: Metric) -> float:
    if metric == "cosine":
        return 1.0 - distance
    if metric == "dot":
        return -distance  # pgvector's `<#>` is the negative inner product, so that smaller is nearer
    return 1.0 / (1.0 + distance)
