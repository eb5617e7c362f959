"""Vectors that lie in another store are rows that say which of them count."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0043"
down_revision = "0038"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
