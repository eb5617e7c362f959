"""The embedded PostgreSQL: created once, found when it runs, private, and stopped for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from factories.waiting import until
from mixpeek.db.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture
def embedded(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A running server; the same data dir for every test of this module."""
    server = EmbeddedPostgres(data_dir)
    server.start()
    yield server
    server.stop()


def ask(server: EmbeddedPostgres, sql: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]


def test_what_was_written_is_there_after_a_stop_and_a_start(embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

    embedded.stop()
    stopped = embedded.running_pid()
    embedded.start()

    assert stopped is None
    assert ask(embedded, "SELECT number FROM kept") == 7


def test_a_server_that_runs_is_found_rather_than_started_again(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    pid = embedded.running_pid()

    other = EmbeddedPostgres(data_dir)
    other.start()

    assert pid is not None
    assert other.running_pid() == pid
    assert other.url == embedded.url


def test_a_killed_server_starts_again_over_its_stale_pid_file(embedded: EmbeddedPostgres) -> None:
    pid = embedded.running_pid()
    assert pid is not None
    children = psutil.Process(pid).children()

    os.kill(pid, signal.SIGKILL)
    until(lambda: embedded.running_pid() is None, what="the killed server counts as gone")
    psutil.wait_procs(children, timeout=10)
    embedded.start()

    assert ask(embedded, "SELECT 1") == 1
    assert embedded.running_pid() != pid


def test_it_is_reached_over_its_private_socket_only(embedded: EmbeddedPostgres) -> None:
    pid = embedded.running_pid()
    assert pid is not None
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    inet = [connection for process in processes for connection in process.net_connections("inet")]

    assert inet == []
    assert ask(embedded, "SHOW listen_addresses") == ""
    assert embedded.socket_dir.stat().st_mode & 0o077 == 0


def test_it_has_vectors(embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.url) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute("SELECT '[1,2]'::vector <#> '[3,4]'").fetchone()

    assert row == (-11.0,)


def test_a_half_made_directory_of_a_crashed_first_start_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.building").mkdir()
    (tmp_path / "postgres.building" / "PG_VERSION").write_text("18")
    server = EmbeddedPostgres(tmp_path)

    server.start()
    try:
        assert ask(server, "SELECT 1") == 1
    finally:
        server.stop()
    assert not (tmp_path / "postgres.building").exists()


def test_a_data_dir_deep_down_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()

    server = EmbeddedPostgres(deep)

    assert len(str(server.socket_dir / ".s.PGSQL.5432")) <= 107
    assert server.socket_dir != EmbeddedPostgres(tmp_path / ("e" * 120)).socket_dir
