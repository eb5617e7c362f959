"""Following what the database tells of, whatever becomes of the connection."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from mixpeek.server import notices


class Turns:
    """A database whose address is asked for at each turn: `refusals` come first, then nothing, for ever."""

    def __init__(self, *refusals: Exception) -> None:
        self.asked = threading.Event()
        self._refusals = list(refusals)

    @property
    def url(self) -> str:
        if self._refusals:
            raise self._refusals.pop(0)
        self.asked.set()
        threading.Event().wait()  # a connection that stays; the thread ends with this process
        raise AssertionError


def test_changes_are_listened_for_again_whatever_went_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices, "PAUSE_S", 0.01)
    turns = Turns(
        psycopg.OperationalError("the connection is lost"),
        psycopg.errors.ReadOnlySqlTransaction("cannot execute in a read-only transaction"),
        RuntimeError("a bug of ours"),
    )

    notices.listen_for_changes(cast("Any", SimpleNamespace(database=turns)), "api-1")

    assert turns.asked.wait(10)
    assert "trying again: the connection is lost" in caplog.text
    assert "read-only transaction" in caplog.text and "a bug of ours" in caplog.text
