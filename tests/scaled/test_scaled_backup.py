"""A backup of several processes on PostgreSQL and S3, taken under load, restored into another database and folder."""

from __future__ import annotations

from pathlib import Path

from scripts.scaled.database import Pair

from factories.commands import run_command
from factories.fleets import client_of
from factories.loaded_platform import LONG, fill
from factories.platform import unique
from factories.seaweed import Seaweed
from factories.waiting import until
from scaled.conftest import MakeFleet


def test_a_backup_taken_during_load_is_restored_into_another_database_and_store(
    pair: Pair, seaweed: Seaweed, make_fleet: MakeFleet, tmp_path: Path
) -> None:
    name, keys = unique("backup"), tmp_path / "keys.json"
    first, second = (make_fleet(pair, chunk_rows="20", batch_hosts="1") for _ in range(2))
    for fleet, folder in ((first, f"{name}/first"), (second, f"{name}/second")):
        fleet.settings |= {**seaweed.environment, "MIXPEEK_OBJECTS_URL": f"{seaweed.url}/{folder}"}
    second.settings["MIXPEEK_SECRETS_KEY"] = first.settings["MIXPEEK_SECRETS_KEY"]  # which is in no backup
    _, api = first.worker(), first.api()
    with client_of(api) as admin:
        namespace = admin.namespaces.create(namespace_name=name).namespace_id
    with client_of(api, namespace) as client:
        content = fill(client, tmp_path)
        before = content.answers(client)
        with content.load(tmp_path) as published:
            until(lambda: len(published) >= 2, what="versions are published", within_s=120)
            task_id = client.collections.trigger(content.long.collection_id).task_id
            until(
                lambda: client.documents.list(content.long.collection_id, limit=1)["results"],
                what="the batch has committed something",
                within_s=120,
            )
            known = list(published)
            taken = run_command(
                *("backup", tmp_path / "backup.tar", "--data-dir", api.data_dir, "--keys", keys),
                cwd=tmp_path,
                **first.settings,
            )
        ended = client.tasks.wait(task_id, timeout_s=180, poll_s=0.1)
        archives = {each: client.plugins.download_archive(each) for each in known}
        written = content.written(client)

    restored = run_command(
        *("restore", tmp_path / "backup.tar", "--data-dir", tmp_path / "node", "--keys", keys),
        cwd=tmp_path,
        **second.settings,
    )
    second.worker()
    with client_of(second.api(), namespace) as other:
        again = other.tasks.wait(task_id, timeout_s=180, poll_s=0.1)
        answers, written_again = content.answers(other), content.written(other)
        there = {each: other.plugins.download_archive(each) for each in known}

    assert (taken.code, restored.code) == (0, 0), taken.err + restored.err
    assert answers == before
    assert there == archives
    assert (ended.status, again.status) == ("COMPLETED", "COMPLETED")
    assert written_again == written
    assert len(written) == len(LONG)
