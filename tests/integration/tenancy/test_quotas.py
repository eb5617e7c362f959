"""Quotas of a namespace."""

from __future__ import annotations

import pytest

from mixpeek.db.pool import Connection
from mixpeek.tenancy.quotas import QuotaExceeded, Quotas
from mixpeek.tenancy.service import create_namespace


@pytest.fixture
def namespace_id(connection: Connection, organization_id: str) -> str:
    """A namespace with one plugin of two versions, 100 bytes each."""
    fields = {
        "namespace_name": "with_quotas",
        "namespace_type": "standard",
        "description": None,
        "feature_extractors": [],
        "payload_indexes": [],
        "auto_create_indexes": False,
    }
    made = create_namespace(connection, organization_id, fields).namespace_id
    for patch in range(2):
        connection.execute(
            "INSERT INTO plugin_versions (namespace_id, plugin_id, name, version, version_key, code_hash, package,"
            " archive_sha256, archive_key, size_bytes, files, manifest)"
            " VALUES (%s, %s, 'words', %s, %s, 'h', 'words', 's', 'k', 100, '[]', '{}')",
            [made, f"words_1_0_{patch}", f"1.0.{patch}", [1, 0, patch]],
        )
    return made


def test_without_limits_nothing_is_refused(connection: Connection, namespace_id: str) -> None:
    Quotas().check(connection, namespace_id, "other", 10**12)


def test_a_further_plugin_is_refused_and_a_further_version_is_not(connection: Connection, namespace_id: str) -> None:
    quotas = Quotas(plugins=1)

    quotas.check(connection, namespace_id, "words", 100)
    with pytest.raises(QuotaExceeded) as refused:
        quotas.check(connection, namespace_id, "other", 100)

    assert (refused.value.status, refused.value.type) == (403, "QuotaExceededError")
    assert refused.value.details == {"resource": "plugins", "current": 1, "limit": 1, "tier": None}


def test_archives_beyond_the_limit_are_refused(connection: Connection, namespace_id: str) -> None:
    quotas = Quotas(archive_bytes=300)

    quotas.check(connection, namespace_id, "words", 100)
    with pytest.raises(QuotaExceeded):
        quotas.check(connection, namespace_id, "words", 101)


def test_deleted_versions_do_not_count(connection: Connection, namespace_id: str) -> None:
    connection.execute("UPDATE plugin_versions SET deleted_at = now() WHERE namespace_id = %s", [namespace_id])

    Quotas(plugins=1, archive_bytes=100).check(connection, namespace_id, "other", 100)
