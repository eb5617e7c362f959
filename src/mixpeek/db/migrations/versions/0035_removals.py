"""What is removed from collections that batches write to is noted, so that they neither repeat nor miss it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0035"
down_revision = "0030"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
