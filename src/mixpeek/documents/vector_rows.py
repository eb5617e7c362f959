"""The vectors of documents as rows: in the shared table, in the segments of a large index, or, being moved, in both."""

from __future__ import annotations

from collections.abc import Sequence

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.documents import binary_copy, segment_queries
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.segments import Segment


def write(connection: Connection, index: Index, segment: Segment, documents: Sequence[NewDocument]) -> None:
    """Write the vectors of documents that have none yet."""
    if segment.table_name is None:
        table, columns = "document_vectors", "collection_id, generation, segment, document_id, feature, embedding"
        rows = binary_copy.vectors((index.collection_id, index.generation, segment.segment), documents)
    else:
        table, columns = segment.table_name, "segment, document_id, feature, embedding"
        rows = binary_copy.vectors(segment.segment, documents)
    if rows is None:
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(rows)


def remove(connection: Connection, index: Index, document_ids: Sequence[str]) -> None:
    """Delete vectors wherever they are; segments stay where they are until the transaction ends."""
    segment_queries.share_lock(connection, index)
    [layout] = segment_queries.layouts(connection, [index])
    ids = list(document_ids)
    if layout.is_shared:
        connection.execute(
            "DELETE FROM document_vectors WHERE collection_id = %s AND generation = %s AND document_id = ANY(%s)",
            [index.collection_id, index.generation, ids],
        )
    if layout.number is not None:
        connection.execute(f"DELETE FROM {layout.table} WHERE document_id = ANY(%s)", [ids])


def read(
    connection: Connection, indexes: Sequence[Index], document_ids: Sequence[str]
) -> dict[str, dict[str, list[float]]]:
    """Return vectors by document and feature."""
    found: dict[str, dict[str, list[float]]] = {}
    ids = list(document_ids)
    rows = dict_rows(
        connection,
        "SELECT document_id, feature, embedding::real[] AS embedding FROM document_vectors v"
        " JOIN (SELECT unnest(%s::text[]) AS collection_id, unnest(%s::int[]) AS generation) i"
        " USING (collection_id, generation) WHERE document_id = ANY(%s)",
        [[i.collection_id for i in indexes], [i.generation for i in indexes], ids],
    )
    for layout in segment_queries.layouts(connection, indexes):
        if layout.number is not None:
            rows += dict_rows(
                connection,
                f"SELECT document_id, feature, embedding::real[] AS embedding FROM {layout.table}"
                " WHERE document_id = ANY(%s)",
                [ids],
            )
    for row in rows:
        found.setdefault(row["document_id"], {})[row["feature"]] = row["embedding"]
    return found
