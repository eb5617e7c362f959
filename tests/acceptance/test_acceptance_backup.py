"""Backups taken from a server under load, restored into an empty system, and everything that can go wrong with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from factories.commands import Ran, run_command
from factories.loaded_platform import LONG, PICTURE, SECRET, SETTINGS, TEXTS, Loaded, fill
from factories.servers import API_KEY, MIXPEEK, Server, surroundings
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database, scalar


@dataclass
class Held:
    """A server, and what it has."""

    server: Server
    content: Loaded

    @property
    def client(self) -> Mixpeek:
        return self.content.client


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("loaded")
    server = Server(folder / "data", SETTINGS)
    try:
        with server.start().client() as client:
            yield Held(server, fill(client, folder))
    finally:
        server.discard()


@dataclass
class Quiet:
    """A backup of that server while nothing else happened, with its keys."""

    path: Path
    keys: Path


@pytest.fixture(scope="module")
def quiet(loaded: Held, tmp_path_factory: pytest.TempPathFactory) -> Quiet:
    folder = tmp_path_factory.mktemp("quiet")
    made = Quiet(folder / "backup", folder / "keys.json")
    done = backup(loaded.server, made.path, "--keys", made.keys)
    assert done.code == 0, done.err
    return made


def backup(server: Server, path: Path, *arguments: str | Path) -> Ran:
    return run_command("backup", path, "--data-dir", server.data_dir, *arguments, cwd=path.parent)


def restore(path: Path, data_dir: Path, *arguments: str | Path, **variables: str) -> Ran:
    return run_command("restore", path, "--data-dir", data_dir, *arguments, cwd=data_dir.parent, **variables)


def asked(data_dir: Path, question: str) -> Any:
    """Return what the embedded database of a data dir on which no server runs answers."""
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        database = Database(postgres.url, max_connections=1)
        database.open()
        with database.transaction() as connection:
            answer = scalar(connection, question)  # type: ignore[arg-type]
        database.close()
        return answer
    finally:
        postgres.stop()


def test_a_backup_taken_during_load_restores_what_was_there_and_an_interrupted_batch_goes_on(
    loaded: Held, tmp_path: Path
) -> None:
    client, name, keys = loaded.client, "backup.tar", tmp_path / "keys.json"
    before = loaded.content.answers(client)
    with loaded.content.load(tmp_path) as published:
        until(lambda: len(published) >= 2, what="versions are published", within_s=120)
        task_id = client.collections.trigger(loaded.content.long.collection_id).task_id
        until(
            lambda: client.documents.list(loaded.content.long.collection_id, limit=1)["results"],
            what="the batch has committed something",
            within_s=120,
        )
        known = list(published)
        taken = backup(loaded.server, tmp_path / name, "--keys", keys)
    ended = client.tasks.wait(task_id, timeout_s=120)

    restored = restore(tmp_path / name, tmp_path / "restored", "--keys", keys)
    open_chunks = asked(
        tmp_path / "restored",
        "SELECT count(*) FROM batch_chunks b JOIN batches USING (batch_id)"
        f" WHERE task_id = '{task_id}' AND committed_at IS NULL",
    )
    second = Server(tmp_path / "restored", SETTINGS)
    try:
        second.start()
        with Mixpeek(api_key=API_KEY, base_url=second.url, namespace=client.namespace) as other:
            again = other.tasks.wait(task_id, timeout_s=120)
            answers, written = loaded.content.answers(other), loaded.content.written(other)
            there = {plugin["plugin_id"] for plugin in other.plugins.list()["plugins"]}
            archives = {each: other.plugins.download_archive(each) for each in known}
    finally:
        second.discard()

    assert (taken.code, restored.code) == (0, 0), taken.err + restored.err
    assert open_chunks > 0
    assert answers == before == loaded.content.answers(client)
    assert {*known, "words_1_0_0"} <= there
    assert archives == {each: client.plugins.download_archive(each) for each in known}
    assert (ended.status, again.status) == ("COMPLETED", "COMPLETED")
    assert written == loaded.content.written(client)
    assert len(written) == len(LONG)
    stored = {path.name: path for path in (tmp_path / "restored" / "objects").rglob("*.png")}
    assert [path.read_bytes() for path in stored.values()] == [PICTURE]


def test_a_backup_holds_no_key_and_says_which_one_to_keep_apart(loaded: Held, tmp_path: Path) -> None:
    done = backup(loaded.server, tmp_path / "whole")

    secrets_key = (loaded.server.data_dir / "secrets.key").read_text().split()[0]
    assert done.code == 0
    # The token, and what signs the webhook's deliveries.
    assert "2 secrets can only be read with the key in" in done.err
    assert "secrets.key" in done.err
    files = [path for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        assert secrets_key.encode() not in content
        assert API_KEY.encode() not in content
        assert SECRET.encode() not in content


def test_what_lies_elsewhere_is_named_when_it_is_left_out_and_when_it_is_missing(loaded: Held, tmp_path: Path) -> None:
    elsewhere = {"MIXPEEK_DOCUMENTS_URL": "qdrant://key@vectors.example:6333"}

    done = run_command("backup", tmp_path / "whole", "--data-dir", loaded.server.data_dir, cwd=tmp_path, **elsewhere)
    restored = restore(tmp_path / "whole", tmp_path / "restored")

    assert (done.code, restored.code) == (0, 0)
    for said in (done.err, restored.err):
        assert "not in the backup: vectors of documents, in vectors.example;" in said


def test_a_restore_without_the_keys_says_that_secrets_cannot_be_read(quiet: Quiet, tmp_path: Path) -> None:
    done = restore(quiet.path, tmp_path / "restored")

    assert done.code == 0
    assert "2 secrets cannot be read" in done.err


def test_keys_are_written_for_their_owner_alone_and_never_over_others(loaded: Held, quiet: Quiet) -> None:
    again = backup(loaded.server, quiet.path.with_name("again"), "--keys", quiet.keys)

    assert quiet.keys.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(quiet.keys.read_text())) == {"admin.key", "signing.key", "secrets.key"}
    assert again.code == 1
    assert not quiet.path.with_name("again").exists()


def test_a_backup_into_what_is_there_already_is_refused(loaded: Held, quiet: Quiet) -> None:
    done = backup(loaded.server, quiet.path)

    assert done.code == 1
    assert "already" in done.err


def test_every_missing_and_changed_object_is_named_and_no_backup_is_left(loaded: Held, tmp_path: Path) -> None:
    objects = loaded.server.data_dir / "objects"
    lost, changed = sorted((objects / "archives").iterdir())[:2]
    contents = {path: path.read_bytes() for path in (lost, changed)}
    lost.unlink()
    changed.write_bytes(b"something else")
    try:
        refused = backup(loaded.server, tmp_path / "refused")
        kept = backup(loaded.server, tmp_path / "kept.tar", "--despite-faults")
    finally:
        for path, content in contents.items():
            path.write_bytes(content)

    assert refused.code == 1
    assert "2 stored objects are missing or damaged, so no backup was made" in refused.err
    for path in contents:
        assert f"archives/{path.name}" in refused.err
    assert list(tmp_path.glob("refused*")) == []
    assert kept.code == 0
    with tarfile.open(tmp_path / "kept.tar") as tar:
        manifest = json.loads(tar.extractfile("backup.json").read())  # type: ignore[union-attr]
    assert len(manifest["faults"]) == 2


def damage_dump(path: Path) -> str:
    with (path / "database.dump").open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"changed")
    return "database.dump"


def damage_object(path: Path) -> str:
    changed = next((path / "objects" / "archives").iterdir())
    changed.write_bytes(b"x" * changed.stat().st_size)
    return changed.name


def lose_object(path: Path) -> str:
    lost = next((path / "objects" / "archives").iterdir())
    lost.unlink()
    return lost.name


def damage_index(path: Path) -> str:
    with (path / "objects.jsonl").open("a") as file:
        file.write(json.dumps({"key": "../../outside", "sha256": "0" * 64, "size_bytes": 1}) + "\n")
    return "objects.jsonl"


def lose_manifest(path: Path) -> str:
    (path / "backup.json").unlink()
    return "backup.json"


@pytest.mark.parametrize("damage", [damage_dump, damage_object, lose_object, damage_index, lose_manifest])
def test_a_damaged_backup_is_neither_verified_nor_restored(
    quiet: Quiet, tmp_path: Path, damage: Callable[[Path], str]
) -> None:
    shutil.copytree(quiet.path, tmp_path / "damaged")
    named = damage(tmp_path / "damaged")

    verified = run_command("backup", "verify", tmp_path / "damaged", cwd=tmp_path)
    restored = restore(tmp_path / "damaged", tmp_path / "restored")

    assert (verified.code, restored.code) == (1, 1)
    assert named in verified.err
    assert named in restored.err
    assert asked(tmp_path / "restored", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_tar_that_was_cut_off_is_no_backup(loaded: Held, tmp_path: Path) -> None:
    assert backup(loaded.server, tmp_path / "whole.tar").code == 0
    whole = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) * 2 // 3])

    verified = run_command("backup", "verify", tmp_path / "cut.tar", cwd=tmp_path)

    assert run_command("backup", "verify", tmp_path / "whole.tar", cwd=tmp_path).code == 0
    assert verified.code == 1
    assert "no whole backup" in verified.err


def test_a_system_that_is_not_empty_is_left_alone(loaded: Held, quiet: Quiet, tmp_path: Path) -> None:
    running = restore(quiet.path, loaded.server.data_dir)
    first = restore(quiet.path, tmp_path / "restored")
    second = restore(quiet.path, tmp_path / "restored")
    (tmp_path / "other" / "objects").mkdir(parents=True)
    (tmp_path / "other" / "objects" / "foreign").write_text("somebody's")
    foreign = restore(quiet.path, tmp_path / "other")

    assert first.code == 0
    assert [running.code, second.code, foreign.code] == [1, 1, 1]
    assert f"pid {loaded.server.pid}" in running.err
    assert "The database is not empty" in second.err
    assert "'foreign'" in foreign.err
    # A refusal does not keep a server from what is there.
    assert not (tmp_path / "restored" / "restore.unfinished").exists()


def test_a_backup_of_a_newer_schema_is_refused(quiet: Quiet, tmp_path: Path) -> None:
    shutil.copytree(quiet.path, tmp_path / "newer")
    manifest = json.loads((tmp_path / "newer" / "backup.json").read_text())
    (tmp_path / "newer" / "backup.json").write_text(json.dumps({**manifest, "schema": "9999"}))

    done = restore(tmp_path / "newer", tmp_path / "restored")

    assert done.code == 1
    assert "schema revision 9999" in done.err


def started(*arguments: str | Path, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [MIXPEEK, *map(str, arguments)],
        cwd=cwd,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_backup_leaves_nothing_at_its_place_and_the_next_one_clears_up(loaded: Held, tmp_path: Path) -> None:
    path = tmp_path / "killed"
    process = started("backup", path, "--data-dir", loaded.server.data_dir, cwd=tmp_path)
    until(
        lambda: any(file.stat().st_size for file in path.with_name("killed.partial").glob("database.dump")),
        what="the dump has begun",
    )
    process.kill()
    process.wait(10)

    there_after_kill = path.exists()
    verified = run_command("backup", "verify", path.with_name("killed.partial"), cwd=tmp_path)
    again = backup(loaded.server, path)

    assert not there_after_kill
    assert verified.code == 1
    assert again.code == 0, again.err
    assert not path.with_name("killed.partial").exists()
    assert run_command("backup", "verify", path, cwd=tmp_path).code == 0


def test_a_killed_restore_is_not_served_and_the_same_command_begins_again(
    loaded: Held, quiet: Quiet, tmp_path: Path
) -> None:
    for attempt in range(10):  # one that has ended when the kill comes shows nothing
        data_dir = tmp_path / f"restored{attempt}"
        process = started("restore", quiet.path, "--data-dir", data_dir, "--keys", quiet.keys, cwd=tmp_path)
        until((data_dir / "restore.unfinished").exists, what="the restore has begun")
        process.kill()
        if process.wait(10) != 0:
            break

    served = run_command("serve", "--port", "0", "--data-dir", data_dir, cwd=tmp_path)
    again = restore(quiet.path, data_dir, "--keys", quiet.keys)

    assert served.code == 1
    assert "A restore into" in served.err
    assert again.code == 0, again.err
    assert asked(data_dir, "SELECT count(*) FROM documents") >= len(TEXTS)


def test_a_backup_of_the_embedded_database_restores_into_one_named_by_url(
    loaded: Held, quiet: Quiet, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    postgres = EmbeddedPostgres(tmp_path / "elsewhere")
    postgres.start()
    place = {"MIXPEEK_DATABASE_URL": postgres.url, "MIXPEEK_OBJECTS_URL": f"file://{tmp_path / 'objects'}"}
    (tmp_path / "objects").mkdir()
    second = Server(tmp_path / "node", {**SETTINGS, **place})
    try:
        restored = restore(quiet.path, tmp_path / "node", "--keys", quiet.keys, **place)
        second.start()
        with Mixpeek(api_key=API_KEY, base_url=second.url, namespace=loaded.client.namespace) as other:
            answers = loaded.content.answers(other)
        taken = run_command("backup", tmp_path / "scaled.tar", "--data-dir", tmp_path / "node", cwd=tmp_path, **place)
    finally:
        second.discard()
        postgres.stop()

    assert restored.code == 0, restored.err
    assert answers == loaded.content.answers(loaded.client)
    assert taken.code == 0, taken.err
    assert not (tmp_path / "node" / "postgres").exists()
