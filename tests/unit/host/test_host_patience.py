"""How long a call of plugin code is waited for, by the time it could have used."""

from __future__ import annotations

import time

import pytest

from mixpeek.host import patience
from mixpeek.host.patience import CallInterrupted, Pace, Patience


def seconds_until_interrupted(allowed: Patience) -> float:
    began = time.perf_counter()
    with pytest.raises(CallInterrupted), allowed.limit(Pace(), 1):
        while time.perf_counter() < began + 10:
            pass
    return time.perf_counter() - began


def test_a_call_that_has_a_processor_is_interrupted_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "kept_waiting_s", lambda _: 5.0)  # before the call, and no more since

    assert 0.05 <= seconds_until_interrupted(Patience(0.05, alone=True)) < 0.45


def test_a_call_kept_from_a_processor_is_given_that_time_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_KEPT_WAITING", 9)
    waits = iter([0.0])
    monkeypatch.setattr(patience, "kept_waiting_s", lambda _: next(waits, 1000.0))

    took = seconds_until_interrupted(allowed := Patience(0.05, alone=True))

    assert took >= 0.5
    assert allowed.interrupted == 1
