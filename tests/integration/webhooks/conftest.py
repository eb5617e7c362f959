"""Webhooks over a real database: an organization, couriers of one's own, and receivers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from factories.hooks import Place
from factories.platform import unique
from factories.receiver import Behaviour, Receiver
from mixpeek.db.pool import Database
from mixpeek.secrets.keys import KeyFile
from mixpeek.secrets.service import Vault
from mixpeek.webhooks.delivery import Courier
from mixpeek.webhooks.retries import RetryPolicy
from mixpeek.webhooks.service import Webhooks, policy_from

QUICK = RetryPolicy(first_pause_s=0.02, give_up_s=60, disable_s=60)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    file = KeyFile(tmp_path / "secrets.key")
    file.create()
    return Vault(file)


@pytest.fixture
def place(database: Database, vault: Vault) -> Iterator[Place]:
    """Where things happen; webhooks may be sent to this machine."""
    yield Place(database, Webhooks(vault, policy_from("127.0.0.1")))
    with database.transaction() as connection:
        for table in ("webhooks", "events", "secrets"):
            connection.execute(f"DELETE FROM {table}")


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    """Make receivers, closed after the test; each does with its requests what it is told."""
    with ExitStack() as open_ones:

        def make(behave: Behaviour = lambda _, answer: answer(200)) -> Receiver:
            return open_ones.enter_context(Receiver(behave))

        yield make


@pytest.fixture
def deliver(place: Place) -> Iterator[Callable[..., Courier]]:
    """Start couriers, stopped after the test."""
    with ExitStack() as running:

        def start(retries: RetryPolicy = QUICK, *, webhooks: Webhooks | None = None, at_once: int = 4) -> Courier:
            courier = Courier(
                place.database, webhooks or place.webhooks, retries, process_id=unique("worker"), at_once=at_once
            )
            running.callback(courier.stop)
            return courier.start()

        yield start
