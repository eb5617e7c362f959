"""`VectorStore` over Qdrant: the vectors lie there, and PostgreSQL says which of them count.

One transaction does not span both. So a vector is written under an id of its own before the transaction ends, counts
once the transaction's row of it is committed, and is deleted after its row is gone (`sweeping`). A search asks
PostgreSQL, about what Qdrant finds, whether it counts and whether it passes the filter: the same statement decides as
where there is no Qdrant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from mixpeek.db.pool import Connection, Database, all_rows, dict_rows, dict_rows_planned_anew, scalar
from mixpeek.db.time_limit import time_limit
from mixpeek.documents.port import Hit, Index, Metric, NewDocument, Premise
from mixpeek.documents.qdrant.cluster import Cluster
from mixpeek.documents.qdrant.errors import FilterTooWide, MetricNotStored, SearchTooDeep
from mixpeek.documents.qdrant.points import METRICS, Point, Space, Vector, place_of
from mixpeek.documents.segments import Segment
from mixpeek.documents.surface import SURFACE
from mixpeek.documents.value_marks import compile_marks
from mixpeek.documents.vector_columns import Embedding
from mixpeek.filters.model import Filter
from mixpeek.filters.sql import Fragment, compile_filter

# Beyond what is asked for: some may be replaced ones, some equal the last.
SLACK, FACTOR = 16, 4
# So many of the nearest are looked at for those that pass a filter; then the filter is evaluated first.
MOST_TRIED = 4096
# So many of the nearest are looked at where there is no filter.
MOST_LOOKED = 65_536
# Documents a filter may let pass where it is evaluated first, and how many of them are compared in one request.
MOST_PASSING, PASSING_AT_ONCE = 200_000, 5_000
_COLUMNS = "collection_id, generation, document_id, feature, metric, dimensions, version"

Found = list[tuple[dict[str, Any], float]]


class QdrantVectors:
    """See the module; `writes` is a database whose connections are used for nothing else while one is held."""

    def __init__(self, cluster: Cluster, writes: Database) -> None:
        self._cluster = cluster
        self._writes = writes

    def write(
        self,
        connection: Connection,
        index: Index,
        segment: Segment,  # noqa: ARG002 - those are of PostgreSQL
        documents: Sequence[NewDocument],
    ) -> None:
        """Write points under a version of their own, noted beforehand, so that one never committed is found again."""
        metrics = self._metrics(connection, index)
        wanted = [
            (document.document_id, feature, metric, vector)
            for document in documents
            for feature, vector in document.vectors.items()
            # What no feature declares is not known to be compared by one metric only.
            for metric in metrics.get(feature, METRICS)
        ]
        if not wanted:
            return
        spaces = {Space(len(vector), metric) for _, _, metric, vector in wanted}
        version = self._begin(spaces)
        # Done with, if this transaction ends well; locked until then, so that nobody takes it for given up.
        connection.execute("DELETE FROM vector_writes WHERE version = %s", [version])
        by_space: dict[Space, list[tuple[Point, Vector]]] = defaultdict(list)
        for document_id, feature, metric, vector in wanted:
            place = (index.collection_id, index.generation, document_id)
            point = Point(*place, feature, metric, len(vector), version)
            by_space[point.space].append((point, vector))
        for space, points in by_space.items():
            self._cluster.write(space, points)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY vector_points ({_COLUMNS}) FROM STDIN") as copy,
        ):
            for points in by_space.values():
                for point, _ in points:
                    copy.write_row(tuple(getattr(point, name) for name in _COLUMNS.split(", ")))

    def remove(self, connection: Connection, index: Index, document_ids: Sequence[str]) -> None:
        """Have vectors count no more; a trigger notes what Qdrant is to forget."""
        connection.execute(
            "DELETE FROM vector_points WHERE collection_id = %s AND generation = %s AND document_id = ANY(%s)",
            [index.collection_id, index.generation, list(document_ids)],
        )

    def read(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str]
    ) -> dict[str, dict[str, list[float]]]:
        columns = ", ".join(f"p.{name}" for name in _COLUMNS.split(", "))
        points = all_rows(
            connection,
            Point,
            f"SELECT DISTINCT ON (p.collection_id, p.generation, p.document_id, p.feature) {columns}"
            " FROM unnest(%s::text[], %s::int[]) i (collection_id, generation)"
            " JOIN vector_points p USING (collection_id, generation) WHERE p.document_id = ANY(%s)",
            [*_places(indexes), list(document_ids)],
        )
        by_space: dict[Space, dict[str, Point]] = defaultdict(dict)
        for point in points:
            by_space[point.space][point.id] = point
        found: dict[str, dict[str, list[float]]] = {}
        for space, wanted in by_space.items():
            for point, vector in self._cluster.read(space, wanted):
                found.setdefault(point.document_id, {})[point.feature] = vector
        return found

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        embedding: Embedding,
        vector: Sequence[float],
        k: int,
        *,
        where: Filter | None = None,
        documents: bool = False,  # noqa: ARG002 - they lie elsewhere, and are read when they are needed
        premise: Premise | None = None,
    ) -> list[Hit]:
        """Go through the nearest until `k` of them count and pass; a rare filter is evaluated first.

        Raises: MetricNotStored, SearchTooDeep, FilterTooWide, FilterTimedOut.
        """
        if not indexes or (premise and not scalar(connection, f"SELECT {premise.text}", premise.params)):
            return []
        search = _Search(self._cluster, connection, indexes, embedding, np.asarray(vector, np.float32), k, where)
        with time_limit(connection) if where is not None else nullcontext():
            return search.run()

    def _begin(self, spaces: Iterable[Space]) -> int:
        with self._writes.transaction() as connection:
            return int(
                scalar(
                    connection,
                    "INSERT INTO vector_writes (version, stores) VALUES (nextval('vector_versions'), %s)"
                    " RETURNING version",
                    [sorted(space.name for space in spaces)],
                )
            )

    @staticmethod
    def _metrics(connection: Connection, index: Index) -> dict[str, tuple[Metric, ...]]:
        rows = dict_rows(
            connection,
            "SELECT f->>'name' AS name, f->>'distance' AS metric FROM collection_generations,"
            " jsonb_array_elements(features) f WHERE collection_id = %s AND generation = %s AND f ? 'dimensions'",
            [index.collection_id, index.generation],
        )
        return {row["name"]: (row["metric"],) for row in rows if row["metric"] in METRICS}


class _Search:
    """One search, in the transaction of its connection."""

    def __init__(
        self,
        cluster: Cluster,
        connection: Connection,
        indexes: Sequence[Index],
        embedding: Embedding,
        vector: Vector,
        k: int,
        where: Filter | None,
    ) -> None:
        self._cluster = cluster
        self._connection = connection
        self._indexes = indexes
        self._embedding = embedding
        self._space = Space(embedding.dimensions, embedding.metric)
        self._vector = vector
        self._k = k
        self._where = where
        self._passing = None if where is None else compile_filter(where, SURFACE)

    def run(self) -> list[Hit]:
        places = [place_of(index, self._embedding.name) for index in self._indexes]

        def nearest(limit: int) -> Found:
            return self._cluster.nearest(self._space, places, self._vector, limit)

        found = self._best(nearest, MOST_LOOKED if self._where is None else MOST_TRIED)
        if found is None:
            if self._passing is None:
                raise SearchTooDeep
            found = self._filtered(places)
        if not found:
            self._check_metric()
        return found

    def _best(self, nearest: Callable[[int], Found], most: int) -> list[Hit] | None:
        """Return the `k` best that count and pass; None where they are not among the `most` nearest."""
        limit = self._k + SLACK
        while True:
            found = nearest(limit)
            hits = self._counting(found)
            if len(found) < limit:
                return hits[: self._k]
            # Others may equal the last one and come before it by their ids.
            sure = [hit for hit in hits if hit.score > found[-1][1]]
            if len(sure) >= self._k:
                return sure[: self._k]
            if limit >= most:
                return None
            limit = min(most, limit * FACTOR)

    def _counting(self, found: Found) -> list[Hit]:
        """Return what counts and passes of what was found, best first, ties by document id."""
        if not found:
            return []
        lateral, params = self._lateral()
        rows = dict_rows_planned_anew(
            self._connection,
            "SELECT f.place FROM unnest(%(collections)s::text[], %(generations)s::int[], %(documents)s::text[],"
            " %(versions)s::bigint[]) WITH ORDINALITY f (collection_id, generation, document_id, version, place)"
            " JOIN vector_points p USING (collection_id, generation, document_id, version)"
            f" {lateral} WHERE p.feature = %(feature)s AND p.metric = %(metric)s",
            {
                **params,
                "collections": [each["collection"] for each, _ in found],
                "generations": [each["generation"] for each, _ in found],
                "documents": [each["document"] for each, _ in found],
                "versions": [each["version"] for each, _ in found],
            },
        )
        kept = [found[row["place"] - 1] for row in rows]
        hits = [Hit(each["document"], each["collection"], score) for each, score in kept]
        return sorted(hits, key=lambda hit: (-hit.score, hit.document_id))

    def _filtered(self, places: Sequence[str]) -> list[Hit]:
        """Evaluate the filter over all documents that may pass, and compare the vectors of those that do."""
        points = self._passing_points()
        if len(points) > MOST_PASSING:
            raise FilterTooWide
        hits: list[Hit] = []
        for start in range(0, len(points), PASSING_AT_ONCE):
            some = {point.id: point for point in points[start : start + PASSING_AT_ONCE]}
            found = self._cluster.nearest(self._space, places, self._vector, len(some), among=list(some))
            hits += [Hit(each["document"], each["collection"], score) for each, score in found]
            hits = sorted(hits, key=lambda hit: (-hit.score, hit.document_id))[: self._k]
        return hits

    def _passing_points(self) -> list[Point]:
        points: list[Point] = []
        columns = ", ".join(f"p.{name}" for name in _COLUMNS.split(", "))
        for index in self._indexes:
            lateral, params = self._lateral(compile_marks(self._where, index) if self._where is not None else None)
            points += all_rows(
                self._connection,
                Point,
                f"SELECT {columns} FROM vector_points p {lateral} WHERE p.collection_id = %(collection)s"
                " AND p.generation = %(generation)s AND p.feature = %(feature)s AND p.metric = %(metric)s"
                " LIMIT %(most)s",
                {
                    **params,
                    "collection": index.collection_id,
                    "generation": index.generation,
                    "most": MOST_PASSING + 1,
                },
            )
        return points

    def _lateral(self, marks: Fragment | None = None) -> tuple[str, dict[str, Any]]:
        """Return the part of a statement that looks up a point's document, where there is a filter, and parameters."""
        params: dict[str, Any] = {"feature": self._embedding.name, "metric": self._space.metric}
        if self._passing is None:
            return "", params
        marked = "" if marks is None else f" AND {marks.text}"
        lateral = (
            "CROSS JOIN LATERAL (SELECT FROM documents d WHERE d.collection_id = p.collection_id"
            f" AND d.generation = p.generation AND d.document_id = p.document_id{marked} AND {self._passing.text}"
            " OFFSET 0) d"
        )
        return lateral, {**params, **self._passing.params, **({} if marks is None else marks.params)}

    def _check_metric(self) -> None:
        """Raise MetricNotStored where the feature's vectors are stored for other metrics only."""
        points = (
            "FROM unnest(%s::text[], %s::int[]) i (collection_id, generation)"
            " JOIN vector_points p USING (collection_id, generation) WHERE p.feature = %s"
        )
        of_feature = [*_places(self._indexes), self._embedding.name]
        searched = f"SELECT EXISTS (SELECT {points} AND p.metric = %s)"
        if scalar(self._connection, searched, [*of_feature, self._space.metric]):
            return
        stored = [row["metric"] for row in dict_rows(self._connection, f"SELECT DISTINCT metric {points}", of_feature)]
        if stored:
            raise MetricNotStored(
                f"{self._embedding.name} was stored for {', '.join(sorted(stored))}, not for {self._space.metric}"
            )


def _places(indexes: Sequence[Index]) -> tuple[list[str], list[int]]:
    return [index.collection_id for index in indexes], [index.generation for index in indexes]
