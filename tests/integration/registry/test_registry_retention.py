"""What retention keeps of the caches that versions are started from, on a real database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from factories.wheels import write_wheel
from mixpeek.db.pool import Connection, Database
from mixpeek.execution.environments.store import Environments
from mixpeek.objects.store import ObjectStore
from mixpeek.registry import queries
from mixpeek.registry.retention import Retention

LONG_AGO = (0, 0)


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    for name in ("livelib", "oldlib"):
        write_wheel(tmp_path / "wheels", name)
    return Environments(tmp_path / "environments", wheelhouse=tmp_path / "wheels")


def unpacked(folder: Path, code_hash: str) -> Path:
    path = folder / code_hash
    path.mkdir(parents=True)
    os.utime(path, LONG_AGO)
    return path


def test_what_a_live_version_or_one_in_use_runs_from_stays_however_long_ago_it_was_started(
    database: Database, environments: Environments, tmp_path: Path
) -> None:
    live, old = environments.prepare(["livelib"]), environments.prepare(["oldlib"])
    for prepared in (live, old):
        os.utime(prepared.folders[0].parent, LONG_AGO)
    kept, used, gone = (unpacked(tmp_path / "unpacked", name) for name in ("livehash", "usedhash", "oldhash"))
    with database.transaction() as connection:
        insert_live_version(connection, "livehash")
        insert_version_of_a_collection(connection, "usedhash")
        assert queries.record_lock(connection, "ns_retention", "words_1_0_0", live.lock.wire()) == live.lock.wire()
        assert queries.record_lock(connection, "ns_retention", "words_1_0_0", old.lock.wire()) == live.lock.wire()
    objects = ObjectStore(None, tmp_path / "objects")

    cleared = Retention(database, objects, tmp_path / "unpacked", 30, environments, 30).clear()

    assert (cleared.unpacked, cleared.environments) == (1, 1)
    assert kept.is_dir() and used.is_dir() and not gone.exists()
    assert live.folders[0].is_dir() and not old.folders[0].exists()


def insert_live_version(connection: Connection, code_hash: str) -> None:
    connection.execute("INSERT INTO organizations (organization_id, name) VALUES ('org_retention', 'tests')")
    connection.execute(
        "INSERT INTO namespaces (namespace_id, organization_id, namespace_name)"
        " VALUES ('ns_retention', 'org_retention', 'tests')"
    )
    insert_version(connection, "words_1_0_0", code_hash)
    connection.execute(
        "INSERT INTO deployments (deployment_id, namespace_id, plugin_id, name, deployment_type, status, phase)"
        " VALUES ('dep_retention', 'ns_retention', 'words_1_0_0', 'words', 'realtime', 'DEPLOYED', 'live')"
    )
    connection.execute(
        "INSERT INTO live_deployments (namespace_id, name, plugin_id, deployment_id)"
        " VALUES ('ns_retention', 'words', 'words_1_0_0', 'dep_retention')"
    )


def insert_version_of_a_collection(connection: Connection, code_hash: str) -> None:
    insert_version(connection, "words_0_9_0", code_hash)
    connection.execute(
        "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
        " output_schema) VALUES ('col_retention', 'ns_retention', 'old', '{}', '{}', '{}')"
    )
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) VALUES ('col_retention', 1, 'ns_retention', 'words_0_9_0', %s, '[]')",
        [code_hash],
    )


def insert_version(connection: Connection, plugin_id: str, code_hash: str) -> None:
    number = plugin_id.removeprefix("words_").replace("_", ".")
    queries.insert_version(
        connection,
        {
            "namespace_id": "ns_retention",
            "plugin_id": plugin_id,
            "name": "words",
            "version": number,
            "version_key": [int(part) for part in number.split(".")],
            "code_hash": code_hash,
            "package": "words",
            "archive_sha256": "0" * 64,
            "archive_key": "archives/0",
            "size_bytes": 1,
            "files": [],
            "manifest": {},
        },
    )
