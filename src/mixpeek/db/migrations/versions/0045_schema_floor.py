"""Which programs run on a schema, so that an older one can run beside the one that replaces it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0045"
down_revision = "0043"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
