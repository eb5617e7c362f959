"""Documents in PostgreSQL: payloads as JSONB, vectors by pgvector, both in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.documents import binary_copy
from mixpeek.documents.port import Document, Hit, Index, Metric, NewDocument

OPERATORS: dict[Metric, str] = {"cosine": "<=>", "dot": "<#>", "euclidean": "<->"}
FIRST_SEGMENT = 1


class PostgresDocuments:
    """The shared tables of small collections, scanned exactly."""

    def upsert(self, connection: Connection, index: Index, documents: Sequence[NewDocument]) -> None:
        """Replace by id: old rows go, new ones are copied in, all in the caller's transaction."""
        if not documents:
            return
        key = [index.collection_id, index.generation, [document.document_id for document in documents]]
        # Ids that are new to the index have nothing to delete, and of most batches all are.
        new = connection.execute(
            "INSERT INTO document_keys (collection_id, generation, document_id, segment)"
            " SELECT %s, %s, unnest(%s::text[]), %s ON CONFLICT (collection_id, generation, document_id) DO NOTHING",
            [*key, FIRST_SEGMENT],
        ).rowcount
        if new < len(documents):
            where = "collection_id = %s AND generation = %s AND document_id = ANY(%s)"
            connection.execute(f"DELETE FROM document_vectors WHERE {where}", key)
            connection.execute(f"DELETE FROM documents WHERE {where}", key)
            connection.execute(f"UPDATE document_keys SET segment = %s WHERE {where}", [FIRST_SEGMENT, *key])
        place = (index.collection_id, index.generation, FIRST_SEGMENT)
        with connection.cursor() as cursor:
            with cursor.copy(
                "COPY documents (collection_id, generation, segment, document_id, batch_id, object_id, payload,"
                " internal) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.write(binary_copy.documents(place, documents))
            vectors = binary_copy.vectors(place, documents)
            if vectors is not None:
                with cursor.copy(
                    "COPY document_vectors (collection_id, generation, segment, document_id, feature, embedding)"
                    " FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.write(vectors)

    def search(
        self,
        connection: Connection,
        indexes: Sequence[Index],
        feature: str,
        vector: Sequence[float],
        metric: Metric,
        k: int,
    ) -> list[Hit]:
        """Scan every vector of the feature exactly; `vector` has the feature's dimension."""
        rows = dict_rows(
            connection,
            f"SELECT document_id, collection_id, embedding {OPERATORS[metric]} %(vector)s::vector AS distance"
            " FROM document_vectors WHERE feature = %(feature)s AND (collection_id, generation) IN"
            " (SELECT unnest(%(collections)s::text[]), unnest(%(generations)s::int[]))"
            " ORDER BY distance, document_id LIMIT %(k)s",
            {
                "vector": "[" + ",".join(map(repr, vector)) + "]",
                "feature": feature,
                "collections": [index.collection_id for index in indexes],
                "generations": [index.generation for index in indexes],
                "k": k,
            },
        )
        return [Hit(r["document_id"], r["collection_id"], _score(r["distance"], metric)) for r in rows]

    def fetch(
        self, connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str], *, vectors: bool = False
    ) -> dict[str, Document]:
        rows = dict_rows(
            connection,
            "SELECT d.document_id, d.collection_id, d.payload, d.internal FROM documents d"
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
            "SELECT document_id, collection_id, payload, internal FROM documents WHERE collection_id = %s"
            " AND generation = %s AND document_id > %s ORDER BY document_id LIMIT %s OFFSET %s",
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

    @staticmethod
    def _with_vectors(
        connection: Connection, indexes: Sequence[Index], rows: list[dict[str, Any]]
    ) -> dict[str, dict[str, list[float]]]:
        found: dict[str, dict[str, list[float]]] = {}
        for r in dict_rows(
            connection,
            "SELECT document_id, feature, embedding::real[] AS embedding FROM document_vectors v"
            " JOIN (SELECT unnest(%s::text[]) AS collection_id, unnest(%s::int[]) AS generation) i"
            " USING (collection_id, generation) WHERE document_id = ANY(%s)",
            [[i.collection_id for i in indexes], [i.generation for i in indexes], [r["document_id"] for r in rows]],
        ):
            found.setdefault(r["document_id"], {})[r["feature"]] = r["embedding"]
        return found


def _score(distance: float, metric: Metric) -> float:
    if metric == "cosine":
        return 1.0 - distance
    if metric == "dot":
        return -distance  # pgvector's `<#>` is the negative inner product, so that smaller is nearer
    return 1.0 / (1.0 + distance)
