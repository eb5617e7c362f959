"""Documents in PostgreSQL: payloads as JSONB, vectors by pgvector, both in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace as changed
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.db.listing import Found
from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.db.time_limit import time_limit
from mixpeek.documents import (
    aggregation,
    binary_copy,
    carrying,
    listing,
    postgres_removal,
    segment_queries,
    text_index,
)
from mixpeek.documents.editing import with_fields
from mixpeek.documents.port import Document, Groups, Hit, Index, Metric, NewDocument, Premise, Sources, Stats
from mixpeek.documents.postings import MOST_IN_BLOCK
from mixpeek.documents.schemas import Aggregate
from mixpeek.documents.segments import Limits
from mixpeek.documents.value_marks import marks_of
from mixpeek.documents.vector_columns import Embedding
from mixpeek.documents.vectors import PostgresVectors, VectorStore
from mixpeek.filters.model import Filter
from mixpeek.filters.query import Query


class PostgresDocuments:
    """Payloads in one table; vectors beside them, or in another store that keeps to the same transaction."""

    def __init__(self, limits: Limits | None = None, vectors: VectorStore | None = None) -> None:
        self._limits = limits or Limits()
        self._vectors: VectorStore = vectors or PostgresVectors()

    def upsert(self, connection: Connection, index: Index, documents: Sequence[NewDocument]) -> None:
        """Replace by id: old rows go, new ones are copied in, all in the caller's transaction."""
        if not documents:
            return
        if len(documents) > MOST_IN_BLOCK:
            self.upsert(connection, index, documents[:MOST_IN_BLOCK])
            self.upsert(connection, index, documents[MOST_IN_BLOCK:])
            return
        ids = [document.document_id for document in documents]
        key = [index.collection_id, index.generation, ids]
        now, earlier = datetime.now(UTC), dict[str, binary_copy.Earlier]()
        segment_queries.share_lock(connection, index)
        segment = segment_queries.open_segment(connection, index)
        # Ids that are new to the index have nothing to delete, and of most batches all are.
        block = text_index.new_block(connection)
        new = connection.execute(
            "INSERT INTO document_keys (collection_id, generation, document_id, segment, text_block, text_place)"
            " SELECT %s, %s, n.document_id, %s, %s, n.place - 1 FROM unnest(%s::text[]) WITH ORDINALITY n"
            " (document_id, place) ON CONFLICT (collection_id, generation, document_id) DO NOTHING",
            [index.collection_id, index.generation, segment.segment, block, ids],
        ).rowcount
        if new < len(documents):
            where = "collection_id = %s AND generation = %s AND document_id = ANY(%s)"
            self._vectors.remove(connection, index, ids)
            replaced = dict_rows(
                connection, f"DELETE FROM documents WHERE {where} RETURNING document_id, created_at, edits", key
            )
            earlier = {row["document_id"]: binary_copy.Earlier(row["created_at"], row["edits"]) for row in replaced}
            text_index.move_keys(connection, index, ids, block, segment.segment)
        place = (index.collection_id, index.generation, segment.segment)
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY documents (collection_id, generation, segment, document_id, batch_id, object_id, payload,"
                " internal, edits, created_at, source_document_id, row_id, position, value_marks) FROM STDIN"
                " (FORMAT BINARY)"
            ) as copy,
        ):
            copy.write(binary_copy.documents(place, documents, earlier, now))
        self._vectors.write(connection, index, segment, documents)
        text_index.write_block(
            connection,
            index,
            block,
            {
                row.document_id: {**earlier[row.document_id].edits, **row.payload}
                if row.document_id in earlier
                else row.payload
                for row in documents
            },
        )
        if len(documents) < text_index.SMALL:
            text_index.merge_small(connection, index)
        grown = new if segment.table_name is None else len(documents)
        segment_queries.note_rows(connection, index, segment, grown, self._limits)

    def keep_only(
        self, connection: Connection, index: Index, kept: Mapping[str, int | None], sources: Sources, batch_id: str = ""
    ) -> int:
        return postgres_removal.keep_only(connection, self._vectors, index, kept, sources, batch_id)

    def remove_made_of(self, connection: Connection, document_ids: Sequence[str]) -> int:
        return postgres_removal.remove_made_of(connection, self._vectors, document_ids)

    def remove_some(self, connection: Connection, index: Index, most: int) -> int:
        return postgres_removal.remove_some(connection, self._vectors, index, most)

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        feature: str,
        vector: Sequence[float],
        metric: Metric,
        k: int,
        *,
        where: Filter | None = None,
        documents: bool = False,
        premise: Premise | None = None,
    ) -> list[Hit]:
        """Ask the store of vectors; `vector` has the feature's dimension."""
        if metric == "cosine" and not any(vector):
            return []
        embedding = Embedding(feature, len(vector), metric)
        return self._vectors.search(
            connection, indexes, embedding, vector, k, where=where, documents=documents, premise=premise
        )

    def search_text(
        self, connection: Connection, indexes: Sequence[Index], query: str, k: int, *, where: Filter | None = None
    ) -> list[Hit]:
        """Rank by the postings of the query's words, whose blocks are written with the documents."""
        with time_limit(connection) if where is not None else nullcontext():
            return text_index.search(connection, indexes, query, k, where)

    def fetch(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str], *, vectors: bool = False
    ) -> dict[str, Document]:
        rows = dict_rows(
            connection,
            "SELECT d.document_id, d.collection_id, d.payload, d.internal, d.created_at, d.updated_at"
            " FROM documents d"
            " JOIN (SELECT unnest(%s::text[]) AS collection_id, unnest(%s::int[]) AS generation) i"
            " USING (collection_id, generation) WHERE d.document_id = ANY(%s)",
            [[i.collection_id for i in indexes], [i.generation for i in indexes], list(document_ids)],
        )
        found = self._with_vectors(connection, indexes, rows) if vectors else {}
        return {r["document_id"]: Document(**r, vectors=found.get(r["document_id"], {})) for r in rows}

    def list_page(
        self, connection: Connection, index: Index, *, after: str, limit: int, offset: int = 0, vectors: bool = False
    ) -> list[Document]:
        rows = dict_rows(
            connection,
            "SELECT document_id, collection_id, payload, internal, created_at, updated_at FROM documents"
            " WHERE collection_id = %s AND generation = %s AND document_id > %s"
            " ORDER BY document_id LIMIT %s OFFSET %s",
            [index.collection_id, index.generation, after, limit, offset],
        )
        found = self._with_vectors(connection, [index], rows) if vectors else {}
        return [Document(**r, vectors=found.get(r["document_id"], {})) for r in rows]

    def count(self, connection: Connection, index: Index) -> int:
        return int(
            scalar(
                connection,
                "SELECT count(*) FROM document_keys WHERE collection_id = %s AND generation = %s",
                [index.collection_id, index.generation],
            )
        )

    def delete_of_objects(
        self,
        connection: Connection,
        namespace_id: str,
        object_ids: Sequence[str],
        *,
        blob_ids: Sequence[str] | None = None,
    ) -> int:
        return postgres_removal.delete_of_objects(connection, self._vectors, namespace_id, object_ids, blob_ids)

    def query(self, connection: Connection, index: Index, query: Query, *, vectors: bool = False) -> Found[Document]:
        found = listing.list_documents(connection, index, query)
        return changed(found, rows=self._filled(connection, index, found.rows)) if vectors else found

    def group(
        self, connection: Connection, index: Index, query: Query, field: str, *, each: int, vectors: bool = False
    ) -> Groups:
        found = listing.list_groups(connection, index, query, field, each)
        if not vectors:
            return found
        groups = [changed(g, documents=self._filled(connection, index, g.documents)) for g in found.groups]
        return changed(found, groups=groups)

    def stats(self, connection: Connection, index: Index, query: Query, group_by: str | None = None) -> Stats:
        return listing.count_documents(connection, index, query, group_by)

    def aggregate(self, connection: Connection, index: Index, wanted: Aggregate) -> list[dict[str, Any]]:
        return aggregation.aggregate(connection, index, wanted)

    def edit(
        self,
        connection: Connection,
        index: Index,
        document_ids: Sequence[str],
        fields: dict[str, Any],
        *,
        replace: bool = False,
    ) -> set[str]:
        where = "collection_id = %s AND generation = %s AND document_id = ANY(%s)"
        key = [index.collection_id, index.generation, list(document_ids)]
        stored = dict_rows(
            connection,
            f"SELECT document_id, payload, internal, edits FROM documents WHERE {where}"
            " ORDER BY document_id FOR UPDATE",
            key,
        )
        written = []
        for row in stored:
            before = row["payload"]
            payload = dict(fields) if replace else with_fields(before, fields)
            touched = {name if name in before else name.partition(".")[0] for name in fields}
            edits = {name: value for name, value in payload.items() if name in touched or name in row["edits"]}
            marks = marks_of(index, payload, row["internal"])
            written.append((Jsonb(payload), Jsonb(edits), marks, *key[:2], row["document_id"]))
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE documents SET payload = %s, edits = %s, value_marks = %s::integer[], updated_at = now()"
                " WHERE collection_id = %s AND generation = %s AND document_id = %s",
                written,
            )
        text_index.write_again(
            connection,
            index,
            {row["document_id"]: payload.obj for row, (payload, *_) in zip(stored, written, strict=True)},
        )
        return {row["document_id"] for row in stored}

    def carry_over(self, connection: Connection, before: Index, generation: int) -> None:
        after = changed(before, generation=generation)
        self.upsert(connection, after, carrying.made_by_users(connection, before, after))
        edited = carrying.repeat_edits(connection, before, after)
        carrying.mark_again(connection, after, list(edited))
        text_index.write_again(connection, after, edited)

    def delete(self, connection: Connection, index: Index, document_ids: Sequence[str]) -> set[str]:
        return postgres_removal.delete(connection, self._vectors, index, document_ids)

    def hold_off_deletions(self, connection: Connection, namespace_id: str) -> int:
        return postgres_removal.hold_off_deletions(connection, namespace_id)

    def _filled(self, connection: Connection, index: Index, documents: list[Document]) -> list[Document]:
        found = self._with_vectors(connection, [index], [{"document_id": each.document_id} for each in documents])
        return [changed(each, vectors=found.get(each.document_id, {})) for each in documents]

    def _with_vectors(
        self, connection: Connection, indexes: Sequence[Index], rows: list[dict[str, Any]]
    ) -> dict[str, dict[str, list[float]]]:
        return self._vectors.read(connection, indexes, [row["document_id"] for row in rows])
