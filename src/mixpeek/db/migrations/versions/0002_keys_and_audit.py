"""API keys get scopes, last use, rotation and revocation; every change of a watched table is audited."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Migrations only go forward; restore a backup instead")
