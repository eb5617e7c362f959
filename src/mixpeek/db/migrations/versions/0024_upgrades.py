"""Upgrades of collections, and which generations are written to beside the live one."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
