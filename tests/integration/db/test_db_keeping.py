"""What clears stored objects, and a backup, exclude each other; two backups do not."""

from __future__ import annotations

import threading

import psycopg
import pytest

from factories.waiting import until
from mixpeek.db.keeping import Kept, clearing
from mixpeek.db.pool import Database
from mixpeek.errors import ServiceUnavailable


def test_nothing_is_cleared_while_backups_are_made(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as one, psycopg.connect(database.url, autocommit=True) as two:
        Kept(one)
        Kept(two)
        with clearing(database) as during:
            pass

    def may_be_cleared() -> bool:
        with clearing(database) as may:
            return may

    assert not during
    until(may_be_cleared, what="the connections that made them have ended")


def test_a_backup_begins_when_clearing_has_ended(database: Database) -> None:
    begun = threading.Event()

    def back_up() -> None:
        with psycopg.connect(database.url, autocommit=True, application_name="backup") as connection:
            Kept(connection)
            begun.set()

    backup = threading.Thread(target=back_up)
    with psycopg.connect(database.url, autocommit=True) as watching, clearing(database) as may_clear:
        backup.start()
        until(
            lambda: watching.execute(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'backup' AND wait_event_type = 'Lock'"
            ).fetchone(),
            what="the backup waits",
        )
        waited = not begun.is_set()
    backup.join(30)

    assert may_clear
    assert waited
    assert begun.is_set()


def test_a_promise_that_was_lost_with_its_connection_is_told(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        kept = Kept(connection)
        kept.check()
        with psycopg.connect(database.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

        with pytest.raises(ServiceUnavailable, match="may have been cleared"):
            kept.check()
