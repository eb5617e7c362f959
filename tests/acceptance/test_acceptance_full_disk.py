"""A disk that is really full: a server's data dir lies on a small file system of its own, and a file takes the rest."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.platform import all_documents, bucket_with, collection_of, publish
from factories.plugins import write_plugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek

DISK_MB, ROWS, CHUNK = 400, 400, 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory; whoever may not mount one has no full disk to try."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def server(disk: Path) -> Iterator[Server]:
    made = Server(disk / "data", {"MIXPEEK_CHUNK_ROWS": str(CHUNK), "MIXPEEK_BATCH_HOSTS": "1"})
    try:
        yield made.start()
    finally:
        made.discard()


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Iterator[Mixpeek]:
    plugin = write_plugin(
        tmp_path / "brief_words",
        manifest=f'compute_profile = {{"batch_size": {CHUNK}}}',
        batch="""
            import time

            time.sleep(0.1)
            batch[FEATURE] = [[float(len(text))] * DIMENSION for text in batch["data"]]
        """,
    )
    with server.client() as made:
        publish(made, plugin)
        yield made


def test_a_batch_outlasts_a_disk_that_is_full_and_stores_every_row_once(
    client: Mixpeek, disk: Path, server: Server
) -> None:
    bucket_id = bucket_with(client, [secrets.token_hex(5000) for _ in range(ROWS)])
    collection = collection_of(client, bucket_id, "brief_words")
    triggered = client.collections.trigger(collection.collection_id)
    until(lambda: client.collections.get(collection.collection_id).document_count, what="some are stored")

    filler = disk / "filler"
    fill(filler)
    until(
        lambda: is_paused(client, bucket_id, triggered.batch_id), what="the batch waits, and says for what", within_s=60
    )
    before = client.collections.get(collection.collection_id).document_count
    filler.unlink()
    ended = client.tasks.wait(triggered.task_id, timeout_s=90)

    assert before < ROWS
    assert (ended.status, ended.error) == ("COMPLETED", None)
    documents = all_documents(client, collection)
    assert len(documents) == len({each["document_id"] for each in documents}) == ROWS


def fill(filler: Path) -> None:
    """Write until nothing more fits; what the server writes meanwhile may take the last pages."""
    with filler.open("wb") as file:
        piece = 16 * 1024 * 1024
        while piece:
            free = shutil.disk_usage(filler.parent).free
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), min(piece, free) or 1)
            except OSError:
                piece //= 4


def is_paused(client: Mixpeek, bucket_id: str, batch_id: str) -> bool:
    paused = client.batches.get(bucket_id, batch_id)["progress"]["paused"]
    return paused is not None and paused["cause"] == "disk_full"
