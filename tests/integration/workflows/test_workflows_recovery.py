"""Who is taken for dead, by whom, and what becomes of one that was and lives."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import psycopg
import pytest

from factories.waiting import until
from mixpeek.db.lease import Lease, LeaseLost, is_free
from mixpeek.db.pool import Database
from mixpeek.workflows import recovery
from mixpeek.workflows.recovery import GRACE_S, Recovery

MakeLease = Callable[[], tuple[str, Lease]]


@pytest.fixture
def make_lease(database: Database) -> Iterator[MakeLease]:
    """Make workers that hold their leases."""
    made: list[Lease] = []

    def make() -> tuple[str, Lease]:
        name = f"worker-{secrets.token_hex(4)}"
        made.append(Lease(database.url, name))
        made[-1].take()
        return name, made[-1]

    yield make
    for lease in made:
        lease.release()


def end(database: Database, name: str, lease: Lease) -> None:
    """Release a lease, and see to it that the server has noticed."""
    lease.release()

    def is_noticed() -> bool:
        with database.transaction() as connection:
            return is_free(connection, name)

    until(is_noticed, what="the session has ended")


class Survivor:
    """A worker that looks for dead ones among `others`, and remembers from whom it took over."""

    def __init__(self, database: Database, make_lease: MakeLease, *others: str) -> None:
        self.name, self.lease = make_lease()
        self.taken: list[str] = []
        self.recovery = Recovery(database, self.name, self.lease, lambda: {self.name, *others}, self._take)

    def _take(self, executor_id: str) -> int:
        self.taken.append(executor_id)
        return 1


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions have lasted long enough to judge, and heartbeats are old at once."""
    monkeypatch.setattr(recovery, "GRACE_S", 0.0)


def test_a_worker_that_holds_its_lease_is_left_alone(database: Database, make_lease: MakeLease, patient: None) -> None:
    other, _ = make_lease()
    survivor = Survivor(database, make_lease, other)

    assert survivor.recovery.look() == []


def test_a_dead_worker_is_taken_over_from_once(database: Database, make_lease: MakeLease, patient: None) -> None:
    other, lease = make_lease()
    survivor = Survivor(database, make_lease, other)
    end(database, other, lease)

    assert survivor.recovery.look() == [other] == survivor.taken


def test_a_worker_that_beat_a_moment_ago_may_come_back(database: Database, make_lease: MakeLease) -> None:
    other, lease = make_lease()
    survivor = Survivor(database, make_lease, other)
    end(database, other, lease)

    assert survivor.recovery.look() == []
    lease.keep()
    assert lease.held_s < GRACE_S


def test_a_worker_that_was_taken_for_dead_has_to_end(database: Database, make_lease: MakeLease, patient: None) -> None:
    other, lease = make_lease()
    survivor = Survivor(database, make_lease, other)
    end(database, other, lease)
    survivor.recovery.look()

    with pytest.raises(LeaseLost, match=other):
        lease.keep()


def test_who_has_lost_its_own_lease_judges_nobody(database: Database, make_lease: MakeLease, patient: None) -> None:
    other, lease = make_lease()
    survivor = Survivor(database, make_lease, other)
    end(database, other, lease)
    end(database, survivor.name, survivor.lease)

    assert survivor.recovery.look() == []


def test_a_successor_need_not_wait_and_spares_one_that_lives(database: Database, make_lease: MakeLease) -> None:
    dead, lease = make_lease()
    living, kept = make_lease()
    survivor = Survivor(database, make_lease, dead, living)
    end(database, dead, lease)

    survivor.recovery.succeed(dead)
    survivor.recovery.succeed(living)

    assert survivor.recovery.look() == [dead]
    kept.keep()


def test_a_lease_outlasts_its_session(database: Database, make_lease: MakeLease) -> None:
    name, lease = make_lease()
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [name])

    with pytest.raises(psycopg.OperationalError):
        lease.keep()
    lease.keep()

    assert lease.held_s > 0
