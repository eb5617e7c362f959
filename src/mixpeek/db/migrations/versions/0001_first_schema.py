"""The first schema: tenancy, registry, deployments, catalog, collections, documents, batches, retrievers, tasks."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    raise RuntimeError("The first schema has nothing before it; restore a backup instead")
