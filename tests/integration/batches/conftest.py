"""A namespace whose batches are run by twins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixpeek.db.pool import Database, new_id


@pytest.fixture(scope="module")
def namespace_id(database: Database) -> Iterator[str]:
    with database.transaction() as connection:
        organization_id = new_id("org")
        connection.execute(
            "INSERT INTO organizations (organization_id, name) VALUES (%s, %s)", [organization_id, organization_id]
        )
        made = new_id("ns")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES (%s, %s, %s)",
            [made, organization_id, made],
        )
    yield made
