"""SQL over the segments of indexes, and the tables of the large ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixpeek.db.pool import Connection, all_rows, dict_rows, scalar
from mixpeek.documents.port import Index
from mixpeek.documents.segments import SHARED, Limits, Segment


@dataclass(frozen=True)
class Layout:
    """Where to look for the vectors of an index: its own tables, the shared one, or both while it is moved."""

    index: Index
    number: int | None
    is_shared: bool

    @property
    def table(self) -> str:
        assert self.number is not None, "the index has no tables of its own"
        return f"vectors_{self.number}"


def layouts(connection: Connection, indexes: Sequence[Index]) -> list[Layout]:
    rows = dict_rows(
        connection,
        "SELECT i.collection_id, i.generation, l.number, l.number IS NULL OR EXISTS (SELECT FROM segments s"
        "  WHERE s.collection_id = i.collection_id AND s.generation = i.generation AND s.table_name IS NULL"
        "  AND s.state <> 'merged') AS is_shared"
        " FROM unnest(%s::text[], %s::int[]) WITH ORDINALITY i (collection_id, generation, place)"
        " LEFT JOIN large_indexes l ON l.collection_id = i.collection_id AND l.generation = i.generation"
        " ORDER BY i.place",
        [[index.collection_id for index in indexes], [index.generation for index in indexes]],
    )
    return [Layout(Index(r["collection_id"], r["generation"]), r["number"], r["is_shared"]) for r in rows]


def share_lock(connection: Connection, index: Index) -> None:
    """Keep segments where they are until the transaction ends; others may write meanwhile."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, %s))", _lock_key(index))


def exclusive_lock(connection: Connection, index: Index) -> None:
    """Wait until nobody writes to the index, and let nobody until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", _lock_key(index))


def _lock_key(index: Index) -> tuple[str, int]:
    return (f"segments of {index.collection_id}", index.generation)


def list_segments(connection: Connection, index: Index) -> list[Segment]:
    """Return all segments in order of their number, the merged ones too."""
    return all_rows(
        connection,
        Segment,
        "SELECT segment, state, rows, table_name FROM segments WHERE collection_id = %s AND generation = %s"
        " ORDER BY segment",
        [index.collection_id, index.generation],
    )


def describe_segments(connection: Connection, index: Index) -> list[dict[str, Any]]:
    """Return the segments that a search looks into, and what became of them, in the documented shape."""
    return dict_rows(
        connection,
        "SELECT segment, state, rows, table_name IS NULL AS is_shared, created_at, indexed_at, task_id FROM segments"
        " WHERE collection_id = %s AND generation = %s AND state <> 'merged' ORDER BY segment",
        [index.collection_id, index.generation],
    )


def open_segment(connection: Connection, index: Index) -> Segment:
    """Return the segment that takes new documents, made if there is none."""
    while True:
        found = all_rows(
            connection,
            Segment,
            "SELECT segment, state, rows, table_name FROM segments"
            " WHERE collection_id = %s AND generation = %s AND state = 'open'",
            [index.collection_id, index.generation],
        )
        if found:
            return found[0]
        [layout] = layouts(connection, [index])
        if layout.number is not None:
            add_segment(connection, index)
        else:
            connection.execute(
                "INSERT INTO segments (collection_id, generation, segment) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [index.collection_id, index.generation, SHARED],
            )


def note_rows(connection: Connection, index: Index, segment: Segment, rows: int, limits: Limits) -> None:
    """Count rows that were written to the open segment; a full one is sealed, and another opened.

    It is the last thing a transaction does, as others that write to the index wait for it from here on.
    """
    written = scalar(
        connection,
        "UPDATE segments SET rows = rows + %s WHERE collection_id = %s AND generation = %s AND segment = %s"
        " AND state = 'open' RETURNING rows",
        [rows, index.collection_id, index.generation, segment.segment],
    )
    if written is None:  # sealed meanwhile, by whoever found it full
        return
    if segment.table_name is None:
        if written >= limits.shared_rows and _holds(connection, index, limits.shared_rows):
            _seal(connection, index, segment)
            connection.execute(
                "INSERT INTO large_indexes (collection_id, generation) VALUES (%s, %s)",
                [index.collection_id, index.generation],
            )
            [made] = layouts(connection, [index])
            connection.execute(
                f"CREATE TABLE {made.table} (segment integer NOT NULL, document_id text NOT NULL,"
                " feature text NOT NULL, embedding vector STORAGE EXTERNAL NOT NULL) PARTITION BY LIST (segment)"
            )
            add_segment(connection, index)
            analyze(connection)
    elif written >= limits.segment_rows and _count_own(connection, index) < limits.most_while_filled:
        _seal(connection, index, segment)
        add_segment(connection, index)


def add_segment(connection: Connection, index: Index) -> Segment:
    """Open another segment in a table of its own."""
    segment = reserve_segment(connection, index, "open")
    if segment is None:  # another transaction was quicker
        return open_segment(connection, index)
    [layout] = layouts(connection, [index])
    create_table(connection, segment)
    attach(connection, layout, segment)
    return segment


def reserve_segment(connection: Connection, index: Index, state: str) -> Segment | None:
    """Insert the next segment; None where one is open already, or another got its number."""
    [layout] = layouts(connection, [index])
    found = all_rows(
        connection,
        Segment,
        "INSERT INTO segments (collection_id, generation, segment, state, table_name)"
        " SELECT %(c)s, %(g)s, max(segment) + 1, %(state)s, %(table)s || '_s' || max(segment) + 1 FROM segments"
        " WHERE collection_id = %(c)s AND generation = %(g)s ON CONFLICT DO NOTHING"
        " RETURNING segment, state, rows, table_name",
        {"c": index.collection_id, "g": index.generation, "state": state, "table": layout.table},
    )
    return found[0] if found else None


def create_table(connection: Connection, segment: Segment) -> None:
    """Create the table of a segment, yet outside its index."""
    # The check spares the scan when it is attached; the storage is explained with `document_vectors`.
    connection.execute(
        f"CREATE TABLE {segment.table_name} (segment integer NOT NULL CHECK (segment = {segment.segment}),"
        " document_id text NOT NULL, feature text NOT NULL, embedding vector STORAGE EXTERNAL NOT NULL,"
        " PRIMARY KEY (document_id, feature)) WITH (toast_tuple_target = 8160)"
    )


def attach(connection: Connection, layout: Layout, segment: Segment) -> None:
    connection.execute(
        f"ALTER TABLE {layout.table} ATTACH PARTITION {segment.table_name} FOR VALUES IN ({segment.segment})"
    )


def mark_indexed(connection: Connection, index: Index, segment: Segment, task_id: str) -> None:
    connection.execute(
        "UPDATE segments SET state = 'indexed', indexed_at = now(), task_id = %s,"
        f" rows = (SELECT count(DISTINCT document_id) FROM {segment.table_name})"
        " WHERE collection_id = %s AND generation = %s AND segment = %s",
        [task_id, index.collection_id, index.generation, segment.segment],
    )


def mark_merged(connection: Connection, index: Index, sources: Sequence[Segment], merged: Segment) -> None:
    connection.execute(
        "UPDATE segments SET state = 'merged', merged_into = %s"
        " WHERE collection_id = %s AND generation = %s AND segment = ANY(%s)",
        [merged.segment, index.collection_id, index.generation, [each.segment for each in sources]],
    )


def forget_unfinished(connection: Connection, index: Index) -> list[str]:
    """Delete segments of merges that did not end; return the names of their tables."""
    rows = dict_rows(
        connection,
        "DELETE FROM segments WHERE collection_id = %s AND generation = %s AND state = 'merged'"
        " AND merged_into IS NULL RETURNING table_name",
        [index.collection_id, index.generation],
    )
    return [row["table_name"] for row in rows]


def is_filled(connection: Connection, index: Index) -> bool:
    """Tell whether a batch that runs has chunks left to be stored here; the database asks for merges when it ends."""
    return bool(
        scalar(
            connection,
            "SELECT EXISTS (SELECT FROM batches b JOIN batch_chunks c USING (batch_id)"
            " WHERE b.status IN ('PENDING', 'PROCESSING', 'IN_PROGRESS') AND c.committed_at IS NULL"
            " AND c.collection_id = %s AND c.generation = %s)",
            [index.collection_id, index.generation],
        )
    )


def analyze(connection: Connection) -> None:
    """Tell the planner how much there is by now; until it knows, it may look a document up by reading all of them."""
    connection.execute("ANALYZE documents, document_keys")


def _seal(connection: Connection, index: Index, segment: Segment) -> None:
    connection.execute(
        "UPDATE segments SET state = 'sealed' WHERE collection_id = %s AND generation = %s AND segment = %s",
        [index.collection_id, index.generation, segment.segment],
    )


def _count_own(connection: Connection, index: Index) -> int:
    return int(
        scalar(
            connection,
            "SELECT count(*) FROM segments WHERE collection_id = %s AND generation = %s AND table_name IS NOT NULL"
            " AND state <> 'merged'",
            [index.collection_id, index.generation],
        )
    )


def _holds(connection: Connection, index: Index, rows: int) -> bool:
    """Tell whether the shared segment holds so many documents, and correct its count of what was replaced since."""
    held = int(
        scalar(
            connection,
            "UPDATE segments SET rows = (SELECT count(*) FROM document_keys WHERE collection_id = %(c)s"
            " AND generation = %(g)s) WHERE collection_id = %(c)s AND generation = %(g)s AND segment = %(s)s"
            " RETURNING rows",
            {"c": index.collection_id, "g": index.generation, "s": SHARED},
        )
    )
    return held >= rows
