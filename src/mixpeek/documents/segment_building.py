"""Indexing and merging segments, beside everybody who reads and writes: each step can be repeated after a crash."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.documents import segment_queries
from mixpeek.documents.port import Index
from mixpeek.documents.segment_queries import Layout
from mixpeek.documents.segments import Limits, Segment, plan_merge
from mixpeek.documents.vector_columns import Embedding

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)
# A swap of tables waits for the searches that run, and later ones wait for it: no longer than this at a time.
SWAP_WAIT_MS = 50
SWAP_PAUSE_S = 0.5


class SegmentBuilder:
    """Indexes what is sealed, then merges what is worth it, until there is nothing left to do for an index.

    Args: build_mb: memory that the build of an index may take; segments are merged as far as that suffices.
    """

    def __init__(self, database: Database, limits: Limits | None = None, build_mb: int = 512) -> None:
        self._database = database
        self._limits = limits or Limits()
        self._build_mb = build_mb

    def next_step(self, index: Index, task_id: str) -> str | None:
        """Carry out the next step and return what it was; None when all is done, or the index is gone."""
        with self._database.transaction() as connection:
            segments = segment_queries.list_segments(connection, index)
            [layout] = segment_queries.layouts(connection, [index])
            embeddings = self._embeddings(connection, index)
            is_filled = segment_queries.is_filled(connection, index)
        if layout.number is None:
            return None
        sealed = [each for each in segments if each.state == "sealed" and each.table_name is not None]
        if sealed:
            self._index(index, sealed[0], embeddings, task_id)
            return f"indexed segment {sealed[0].segment}"
        fits = self._build_mb * 1024 * 1024 // max([1, *(each.build_bytes for each in embeddings)])
        sources = plan_merge(segments, self._limits, is_filled=is_filled, fits=fits)
        if not sources:
            return None
        merged = self._merge(layout, sources, embeddings, task_id)
        return f"merged segments {', '.join(str(each.segment) for each in sources)} into {merged.segment}"

    @staticmethod
    def _embeddings(connection: Connection, index: Index) -> list[Embedding]:
        rows = dict_rows(
            connection,
            "SELECT f->>'name' AS name, (f->>'dimensions')::int AS dimensions, f->>'distance' AS metric"
            " FROM collection_generations, jsonb_array_elements(features) f WHERE collection_id = %s"
            " AND generation = %s AND f ? 'dimensions'",
            [index.collection_id, index.generation],
        )
        return [Embedding(row["name"], row["dimensions"], row["metric"]) for row in rows]

    @contextmanager
    def _building(self) -> Iterator[Connection]:
        """Yield a connection without a transaction, as an index that is built concurrently wants it."""
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            connection.execute(
                f"SET maintenance_work_mem = '{self._build_mb}MB'; SET max_parallel_maintenance_workers = 0"
            )
            yield connection

    def _index(self, index: Index, segment: Segment, embeddings: Sequence[Embedding], task_id: str) -> None:
        """Index a segment that is searched, and may lose documents, meanwhile."""
        with self._building() as connection:
            self._await_writers(connection, index)
            for place, embedding in enumerate(embeddings):
                name = f"{segment.table_name}_v{place}"
                statement = embedding.index(name, str(segment.table_name), segment.rows, concurrently=True)
                if statement is not None:
                    # What a crash has left of an index is invalid, and would be taken for one.
                    connection.execute(f"DROP INDEX IF EXISTS {name}")
                    connection.execute(statement)
            connection.execute(f"ANALYZE {segment.table_name}")
            segment_queries.analyze(connection)
            segment_queries.mark_indexed(connection, index, segment, task_id)

    @staticmethod
    def _await_writers(connection: Connection, index: Index) -> None:
        """Return once nobody writes who may take a segment for open that is sealed by now."""
        with connection.transaction():
            segment_queries.exclusive_lock(connection, index)

    def _merge(
        self,
        layout: Layout,
        sources: Sequence[Segment],
        embeddings: Sequence[Embedding],
        task_id: str,
    ) -> Segment:
        """Copy segments into one that is indexed beside them, and put it in their place."""
        index = layout.index
        with self._building() as connection:
            with connection.transaction():
                for table in segment_queries.forget_unfinished(connection, index):
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
            self._await_writers(connection, index)
            merged, rows = self._copy(connection, layout, sources), sum(each.rows for each in sources)
            for place, embedding in enumerate(embeddings):
                name = f"{merged.table_name}_v{place}"
                statement = embedding.index(name, str(merged.table_name), rows, concurrently=False)
                if statement is not None:
                    connection.execute(statement)
            connection.execute(f"ANALYZE {merged.table_name}")
            while not self._swap(connection, layout, sources, merged, task_id):
                log.info("segments of %s are being searched, trying again to merge them", index.collection_id)
                time.sleep(SWAP_PAUSE_S)
        return merged

    @staticmethod
    def _copy(connection: Connection, layout: Layout, sources: Sequence[Segment]) -> Segment:
        merged = None
        while merged is None:
            # It belongs to nobody until it is swapped in: `merged` keeps it from being searched, written to or merged.
            merged = segment_queries.reserve_segment(connection, layout.index, "merged")
        with connection.transaction():
            segment_queries.create_table(connection, merged)
            for source in sources:
                connection.execute(
                    f"INSERT INTO {merged.table_name} (segment, document_id, feature, embedding)"
                    f" SELECT {merged.segment}, document_id, feature, embedding FROM {_table(source)}"
                    f" WHERE {_condition(source)}",
                    _params(layout.index),
                )
        return merged

    @staticmethod
    def _swap(
        connection: Connection, layout: Layout, sources: Sequence[Segment], merged: Segment, task_id: str
    ) -> bool:
        """Put the merged segment in the place of its sources; False if a search kept it waiting too long."""
        index = layout.index
        try:
            with connection.transaction():
                segment_queries.exclusive_lock(connection, index)
                # Nothing is written to a segment that is not open, but documents may have been deleted or replaced.
                left = " UNION ALL ".join(
                    f"SELECT document_id, feature FROM {_table(source)} WHERE {_condition(source)}"
                    for source in sources
                )
                connection.execute(
                    f"DELETE FROM {merged.table_name} m USING (SELECT document_id, feature FROM {merged.table_name}"
                    f" EXCEPT ({left})) gone WHERE m.document_id = gone.document_id AND m.feature = gone.feature",
                    _params(index),
                )
                for source in sources:
                    if source.table_name is None:
                        connection.execute(f"DELETE FROM {_table(source)} WHERE {_condition(source)}", _params(index))
                segment_queries.mark_indexed(connection, index, merged, task_id)
                segment_queries.mark_merged(connection, index, sources, merged)
                # Searches wait from here to the commit.
                connection.execute(f"SET LOCAL lock_timeout = {SWAP_WAIT_MS}")
                connection.execute(f"LOCK TABLE {layout.table} IN ACCESS EXCLUSIVE MODE")
                for source in sources:
                    if source.table_name is not None:
                        connection.execute(f"DROP TABLE {source.table_name}")
                segment_queries.attach(connection, layout, merged)
        except psycopg.errors.LockNotAvailable:
            return False
        return True


def _table(source: Segment) -> str:
    return source.table_name or "document_vectors"


def _condition(source: Segment) -> str:
    return "true" if source.table_name else "collection_id = %(collection)s AND generation = %(generation)s"


def _params(index: Index) -> dict[str, Any]:
    return {"collection": index.collection_id, "generation": index.generation}
