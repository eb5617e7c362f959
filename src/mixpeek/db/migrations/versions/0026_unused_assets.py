"""Assets that nothing may refer to any more, noted by the transactions that take a reference away."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0024"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
