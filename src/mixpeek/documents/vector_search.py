"""The nearest documents of one or several indexes, filtered or not, as one statement.

The vectors of small indexes are scanned. Those of a large one are in partitions, each scanned or asked by its index;
the database merges their answers in order of distance, so that the result is complete at every moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg.rows import dict_row

from mixpeek.db.pool import CANDIDATES, Connection, dict_rows, dict_rows_planned_anew
from mixpeek.db.time_limit import time_limit
from mixpeek.documents.known_layouts import KnownLayouts
from mixpeek.documents.port import Document, Hit, Index, Metric, Premise
from mixpeek.documents.query_vector import QueryVector
from mixpeek.documents.segment_queries import Layout
from mixpeek.documents.vector_columns import Embedding
from mixpeek.documents.vector_statement import SearchStatement
from mixpeek.errors import ServiceUnavailable
from mixpeek.filters.model import Filter

# HNSW keeps no more candidates than this.
MOST_CANDIDATES = 1000
# A filter is tried on some documents. If it lets enough of them pass, the nearest vectors are looked up until enough
# pass, four times as many as it should take at most; a rarer one is evaluated over all documents first, or over those
# that have the marks of its values.
WORTH_LOOKING, CAUTION = 1000, 4


def search(
    connection: Connection,
    known: KnownLayouts,
    indexes: Sequence[Index],
    embedding: Embedding,
    vector: Sequence[float],
    k: int,
    *,
    where: Filter | None = None,
    documents: bool = False,
    premise: Premise | None = None,
) -> list[Hit]:
    """See `DocumentStore.search`."""
    if not indexes:
        return []
    with time_limit(connection) if where is not None else nullcontext():
        layouts = known.recall(indexes) or known.look_up(connection, indexes)
        try:
            # Nothing comes of a layout that has changed since.
            while not (rows := _rows(connection, layouts, embedding, vector, k, where, documents, premise)):
                now = known.look_up(connection, indexes)
                if layouts == now:
                    break
                layouts = now
        except psycopg.errors.UndefinedTable as error:
            known.forget()
            raise ServiceUnavailable("An index was dropped meanwhile", hint="Send the request again") from error
    # Of a vector of zeros there is no cosine; such come last, and no index holds them.
    return [_hit(row, embedding.metric) for row in rows if not math.isnan(row["distance"])]


def _hit(row: dict[str, Any], metric: Metric) -> Hit:
    score = _score(row.pop("distance"), metric)
    return Hit(row["document_id"], row["collection_id"], score, Document(**row) if "payload" in row else None)


def _rows(
    connection: Connection,
    layouts: Sequence[Layout],
    embedding: Embedding,
    vector: Sequence[float],
    k: int,
    where: Filter | None,
    documents: bool,
    premise: Premise | None,
) -> list[dict[str, Any]]:
    large = any(layout.number is not None for layout in layouts)
    statement = SearchStatement(layouts, embedding, k, where, premise)
    params = {**statement.params, "vector": QueryVector(vector)}
    if where is None:
        text = statement.text(documents=documents)
        if not large or k <= CANDIDATES:
            return dict_rows(connection, text, params)
        cursor = connection.cursor(row_factory=dict_row)
        with connection.pipeline():  # in one round trip, and one transaction
            _tune(connection, k)
            cursor.execute(text, params)
        return cursor.fetchall()
    if not large:
        return dict_rows_planned_anew(connection, statement.text(documents=documents), params)
    looked_at = _until_passing(connection, statement, params, k)
    # The farthest candidates are the likeliest to be missed, and with a filter they count as much as the nearest.
    _tune(connection, 2 * looked_at)
    if looked_at <= WORTH_LOOKING:
        rows = dict_rows_planned_anew(
            connection, statement.text(looked_at=looked_at * CAUTION, documents=documents), params
        )
        if len(rows) == k:
            return rows
    return dict_rows_planned_anew(connection, statement.text(filter_first=True, documents=documents), params)


def _tune(connection: Connection, wanted: int) -> None:
    """Set how far the indexes look for so many vectors, for this transaction."""
    candidates = str(min(max(wanted, CANDIDATES), MOST_CANDIDATES))
    connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", [candidates])


def _until_passing(connection: Connection, statement: SearchStatement, params: dict[str, Any], k: int) -> int:
    """Return how many vectors are looked at until `k` pass, judged by some of the documents."""
    [row] = dict_rows_planned_anew(connection, statement.sample(), params)
    return int(k * row["tried"] / row["passing"]) if row["passing"] else WORTH_LOOKING + 1


def _score(distance: float, metric: Metric) -> float:
    if metric == "cosine":
        return 1.0 - distance
    if metric == "dot":
        return -distance  # pgvector's `<#>` is the negative inner product, so that smaller is nearer
    return 1.0 / (1.0 + distance)
