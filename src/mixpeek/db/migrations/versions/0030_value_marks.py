"""Documents are marked with their values, and looked up by nothing but their key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op

from mixpeek.documents.port import Index
from mixpeek.documents.value_marks import marks_of

revision = "0030"
down_revision = "0027"
AT_ONCE = 2000


def upgrade() -> None:
    op.execute("ALTER TABLE documents ADD COLUMN value_marks integer[] NOT NULL DEFAULT '{}'")
    mark_stored_documents(op.get_bind().connection.driver_connection)
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def mark_stored_documents(connection: Any) -> None:
    """Mark what was stored before, page by page in order of the key; `connection` is psycopg's."""
    after: tuple[str, int, str] = ("", 0, "")
    while True:
        rows = connection.execute(
            "SELECT collection_id, generation, document_id, payload, internal FROM documents"
            " WHERE (collection_id, generation, document_id) > (%s, %s, %s)"
            " ORDER BY collection_id, generation, document_id LIMIT %s",
            [*after, AT_ONCE],
        ).fetchall()
        if not rows:
            return
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE documents SET value_marks = %s::integer[]"
                " WHERE collection_id = %s AND generation = %s AND document_id = %s",
                [(marks_of(Index(*key[:2]), payload, internal), *key) for *key, payload, internal in rows],
            )
        after = tuple(rows[-1][:3])


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
