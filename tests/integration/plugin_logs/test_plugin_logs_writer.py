"""Writing, reading and clearing plugin logs on a real database, one that goes away included."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from factories.waiting import until
from mixpeek.api.log_stream import Reading
from mixpeek.api.paging import Page
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import Database
from mixpeek.db.schema import migrate
from mixpeek.errors import ServiceUnavailable
from mixpeek.execution.output import platform_line
from mixpeek.execution.port import LogLine, LogOrigin
from mixpeek.plugin_logs import queries
from mixpeek.plugin_logs.followers import Followers
from mixpeek.plugin_logs.models import MOST_BYTES, KeptLine, LogFilter, may_go_on
from mixpeek.plugin_logs.retention import clear_logs
from mixpeek.plugin_logs.writer import BATCH_LINES, LogWriter

ORIGIN = LogOrigin("ns_logs", "words_1_0_0", "realtime", "dep_1")
ALL = LogFilter("ns_logs", "words_1_0_0")


@dataclass
class OwnDatabase:
    """A database that can be closed to everybody, as one that is down is."""

    pool: Database
    server: str
    name: str

    def close_to_all(self) -> None:
        self._allow(False)
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name])

    def reopen(self) -> None:
        self._allow(True)

    def _allow(self, allowed: bool) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                    sql.Identifier(self.name), sql.Literal(allowed)
                )
            )

    def lines(self, wanted: LogFilter = ALL) -> list[KeptLine]:
        with self.pool.transaction() as connection:
            return queries.list_latest(connection, wanted, 10_000, None)

    def messages(self) -> list[str]:
        return [line.message for line in self.lines()]


@pytest.fixture(scope="module")
def migrated(postgres: EmbeddedPostgres) -> Iterator[OwnDatabase]:
    name = f"logs_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = postgres.url.replace("/postgres?", f"/{name}?")
    migrate(url)
    pool = Database(url, max_connections=4)
    pool.open()
    yield OwnDatabase(pool, postgres.url, name)
    pool.close()


@pytest.fixture
def own(migrated: OwnDatabase) -> Iterator[OwnDatabase]:
    with migrated.pool.transaction() as connection:
        connection.execute("INSERT INTO organizations (organization_id, name) VALUES ('org_logs', 'tests')")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name)"
            " VALUES ('ns_logs', 'org_logs', 'tests')"
        )
    yield migrated
    with migrated.pool.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = 'ns_logs'")
        assert connection.execute("SELECT count(*) FROM plugin_logs").fetchone() == (0,)
        connection.execute("DELETE FROM organizations")


@pytest.fixture
def writer(own: OwnDatabase) -> Iterator[Callable[..., LogWriter]]:
    made: list[LogWriter] = []

    def make(**options: int) -> LogWriter:
        made.append(LogWriter(own.pool, **{"keep_bytes": 10**9, **options}).start())
        return made[-1]

    yield make
    for each in made:
        each.close()


def line(message: str, level: str = "info", age: timedelta = timedelta(0)) -> LogLine:
    return LogLine(at=datetime.now(UTC) - age, stream="output", level=level, message=message)


def test_lines_are_stored_in_order_and_found_by_what_they_are(
    own: OwnDatabase, writer: Callable[..., LogWriter]
) -> None:
    writing = writer()
    hostile = "tab\there, \\. and \\N, \x1b[2J 🐘 'quotes' \"too\""

    writing.write(ORIGIN, "host_1", [line("first"), line(hostile, "error")])
    writing.write(LogOrigin("ns_logs", "words_1_0_0", "gate", "dep_2"), "host_2", [line("third", "warning")])
    writing.write(LogOrigin("ns_nowhere", "words_1_0_0", "gate"), "host_3", [line("of a deleted namespace")])
    writing.close()

    assert own.messages() == ["first", hostile, "third"]
    assert [kept.message for kept in own.lines(LogFilter(**{**vars(ALL), "level": "warning"}))] == [hostile, "third"]
    assert [kept.message for kept in own.lines(LogFilter(**{**vars(ALL), "source": "gate"}))] == ["third"]
    assert [kept.host_id for kept in own.lines(LogFilter(**{**vars(ALL), "deployment_id": "dep_2"}))] == ["host_2"]
    assert own.lines(LogFilter(**{**vars(ALL), "since": datetime.now(UTC) + timedelta(minutes=1)})) == []


def test_lines_wait_for_a_database_that_is_away_and_those_without_room_are_counted(
    own: OwnDatabase, writer: Callable[..., LogWriter]
) -> None:
    writing = writer(queue_lines=10)
    writing.write(ORIGIN, "host_1", [line("before")])
    until(lambda: own.messages() == ["before"], what="the first line is stored")

    own.close_to_all()
    try:
        for number in range(25):
            writing.write(ORIGIN, "host_1", [line(f"line {number}")])
    finally:
        own.reopen()
    until(lambda: len(own.lines()) >= 12, what="what waited is stored", within_s=40)
    writing.write(ORIGIN, "host_1", [line("after")])
    writing.close()

    kept = own.lines()
    assert [each.message for each in kept[:11]] == ["before", *(f"line {number}" for number in range(10))]
    assert kept[11].message.startswith("15 lines were lost: the database") and kept[11].stream == "platform"
    assert [each.message for each in kept[12:]] == ["after"]


def test_a_process_that_ends_while_the_database_is_away_says_how_many_lines_it_takes_with_it(
    own: OwnDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    writing = LogWriter(own.pool, keep_bytes=10**9).start()
    own.close_to_all()
    try:
        writing.write(ORIGIN, "host_1", [line("never stored"), line("nor this")])
        writing.close(timeout_s=0.2)
    finally:
        own.reopen()

    assert "2 lines of plugin logs could not be written" in caplog.text
    writing.close(timeout_s=30)  # its last attempt ends before the next test


def test_a_version_keeps_about_as_many_bytes_as_it_may_and_nothing_that_is_too_old(
    own: OwnDatabase, writer: Callable[..., LogWriter]
) -> None:
    size = queries.size_of(line("line 0"))
    writing = writer(keep_bytes=100 * size)
    for number in range(300):
        writing.write(ORIGIN, "host_1", [line(f"line {number % 10}")])
    writing.close()
    trimmed = len(own.lines())
    writing = writer()
    writing.write(ORIGIN, "host_1", [line("old", age=timedelta(days=3))])
    writing.close()

    cleared = clear_logs(own.pool, days=2, keep_bytes=50 * size)

    assert trimmed <= 125
    assert cleared == trimmed + 1 - len(own.lines())
    assert 49 <= len(own.lines()) <= 50 and "old" not in own.messages()


def test_old_lines_that_cannot_be_deleted_cost_no_new_line(
    own: OwnDatabase, writer: Callable[..., LogWriter], caplog: pytest.LogCaptureFixture
) -> None:
    with own.pool.transaction() as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no line is deleted'; END $$;"
            "CREATE TRIGGER refuse BEFORE DELETE ON plugin_logs EXECUTE FUNCTION refuse()"
        )
    try:
        writing = writer(keep_bytes=1000)
        writing.write(ORIGIN, "host_1", [line(str(number)) for number in range(BATCH_LINES + 10)])
        writing.close()
    finally:
        with own.pool.transaction() as connection:
            connection.execute("DROP FUNCTION refuse CASCADE")

    assert own.messages() == [str(number) for number in range(BATCH_LINES + 10)]
    assert "no line is deleted" in caplog.text


def test_a_page_ends_where_its_text_is_too_much_and_the_next_goes_on_there(
    own: OwnDatabase, writer: Callable[..., LogWriter]
) -> None:
    writing = writer()
    large = "x" * (MOST_BYTES // 4)
    writing.write(ORIGIN, "host_1", [line(f"{number}{large}") for number in range(6)])
    writing.close()

    def numbers(lines: list[KeptLine]) -> str:
        return "".join(each.message[0] for each in lines)

    with own.pool.transaction() as connection:
        latest = queries.list_latest(connection, ALL, 1000, None)
        before = queries.list_latest(connection, ALL, 1000, latest[0].id)
        first = queries.list_after(connection, ALL, 500, 0)
        rest = queries.list_after(connection, ALL, 500, first[-1].id)
        few = queries.list_after(connection, ALL, 2, 0)

    assert (numbers(before), numbers(latest)) == ("01", "2345")
    assert (numbers(first), numbers(rest), numbers(few)) == ("0123", "45", "01")
    assert may_go_on(latest, 1000) and may_go_on(first, 500) and may_go_on(few, 2)
    assert not may_go_on(before, 1000) and not may_go_on(rest, 500)

    platform = SimpleNamespace(database=own.pool, keyring=SimpleNamespace(authenticate=lambda _: None))
    reading = Reading(cast("Any", platform), ALL, None, lambda *_: None)
    assert [(numbers(sent), at) for sent, at in (reading.after(0), reading.after(first[-1].id))] == [
        ("0123", first[-1].id), ("45", latest[-1].id),
    ]  # fmt: skip
    page = reading.page(1000, None)
    cursor = Page(1000, page["pagination"]["next_cursor"]).after
    last = reading.page(1000, int(cursor))
    assert [each["id"] for each in last["results"] + page["results"]] == [each.id for each in before + latest]
    assert last["pagination"]["next_cursor"] is None


def test_a_namespace_that_takes_long_to_delete_keeps_no_line_of_another_waiting(
    own: OwnDatabase, writer: Callable[..., LogWriter]
) -> None:
    with own.pool.transaction() as connection:
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name)"
            " VALUES ('ns_leaving', 'org_logs', 'leaving')"
        )
    writing = writer()

    with own.pool.transaction() as connection:
        connection.execute("DELETE FROM namespaces WHERE namespace_id = 'ns_leaving'")
        writing.write(LogOrigin("ns_leaving", "words_1_0_0", "realtime"), "host_2", [line("the last of it")])
        writing.write(ORIGIN, "host_1", [line("of another")])
        until(lambda: own.messages() == ["of another"], what="the other's line is stored", within_s=5)


def test_a_notice_wakes_those_who_follow_that_version_and_no_more_than_a_few_may_follow() -> None:
    async def follow() -> tuple[bool, bool, bool]:
        followers = Followers(most=2)
        with followers.join("ns_1", "words_1_0_0") as mine, followers.join("ns_1", "other_1_0_0") as other:
            with pytest.raises(ServiceUnavailable, match="2 readers"):
                followers.check_room()
            followers.note("ns_1/words_1_0_0")
            woken = await mine.wait(0), await other.wait(0)
            followers.close()
            assert mine.is_told_to_end and other.is_told_to_end
        followers.check_room()
        return *woken, await mine.wait(0)

    assert asyncio.run(follow()) == (True, False, True)


def test_a_line_of_the_platform_can_always_be_stored(own: OwnDatabase, writer: Callable[..., LogWriter]) -> None:
    writing = writer()

    writing.write(ORIGIN, "host_1", [platform_line("error", "half \ud800 and nothing \x00")])
    writing.close()

    assert own.messages() == ["half \\ud800 and nothing \\x00"]
