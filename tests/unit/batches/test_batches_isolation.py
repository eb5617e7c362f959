"""Rows at fault are found, alone, whatever calls do: raise, die, hang, leave rows untried, refuse for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.faults import (
    FORGIVEN,
    NETWORK_RETRIES,
    TRANSIENT,
    BatchStopped,
    FaultBudget,
    backoff_s,
    cause_of,
    retries_of,
)
from mixpeek.batches.isolation import Called, Settled, settle
from mixpeek.batches.models import Row
from mixpeek.errors import PluginCrashed, PluginError, PluginRaised, PluginReplyInvalid, PluginTimedOut
from mixpeek.execution.port import RowFault
from mixpeek.host.isolation import isolate, piece_size


class Generous(FaultBudget):
    """Forgives everything."""

    def note_costly(self, error: Any, times: int = 1) -> None:
        """Forgive."""


def rows_of(kinds: Sequence[str]) -> list[Row]:
    return [Row(f"doc_{at}", f"obj_{at}", None, {"data": kind}, {}, {}) for at, kind in enumerate(kinds)]


class ModelHost:
    """What a host does with rows that say what is to happen to them."""

    def __init__(self, most_untried: int = 3) -> None:
        self.calls: list[int] = []
        self.refusals: dict[str, int] = {}
        self._most_untried = most_untried

    def __call__(self, rows: Sequence[Row], *, alone: bool) -> Called:
        self.calls.append(len(rows))
        kinds = [row.columns["data"] for row in rows]
        if "crash" in kinds:
            raise PluginCrashed("The plugin's host was killed by SIGSEGV")
        if "stubborn" in kinds:
            raise PluginTimedOut("The plugin did not answer `run`, so it was stopped")
        if "unreadable" in kinds:
            raise PluginReplyInvalid("The plugin's host broke the protocol")
        faults, hung = [], 0
        for at, row in enumerate(rows):
            fault = self._fault(row, alone=alone)
            if isinstance(fault, PluginTimedOut):
                hung += 1
            if hung > self._most_untried and not alone:
                faults.append(RowFault(at, None))
            elif fault is not None:
                faults.append(RowFault(at, fault))
        failed = {fault.row for fault in faults}
        return Called(None, [row for at, row in enumerate(rows) if at not in failed], faults)

    def _fault(self, row: Row, *, alone: bool) -> PluginError | None:
        kind = row.columns["data"]
        if kind == "raise":
            return PluginRaised("ValueError: no")
        if kind == "hang" or (kind == "slow" and not alone):
            return PluginTimedOut("did not return", waited_s=1.0)
        if kind in ("refused", "briefly refused"):
            times = self.refusals[row.document_id] = self.refusals.get(row.document_id, 0) + 1
            if kind == "refused" or times <= NETWORK_RETRIES:
                return PluginRaised("ConnectionError: no", retry_after_s=2.0)
        return None


def settle_all(kinds: Sequence[str], host: ModelHost) -> tuple[Settled, Settled, list[float]]:
    waits: list[float] = []
    first = settle(rows_of(kinds), host, Generous(), waits.append)
    second = settle(first.suspects, host, Generous(), waits.append, alone=True) if first.suspects else Settled()
    return first, second, waits


GOOD = ("good", "slow", "briefly refused")
BAD = ("refused", "raise", "hang", "stubborn", "crash", "unreadable")
KINDS = st.sampled_from([*["good"] * 12, "slow", "briefly refused", *BAD])


@given(st.lists(KINDS, max_size=120), st.integers(1, 5))
def test_the_rows_that_go_through_and_those_that_fail_are_the_models(kinds: list[str], most_untried: int) -> None:
    first, second, _ = settle_all(kinds, ModelHost(most_untried))

    through = [row.document_id for part in (*first.called, *second.called) for row in part.rows]
    failed = [row.document_id for row, _ in (*first.failed, *second.failed)]
    assert sorted(through) == sorted(f"doc_{at}" for at, kind in enumerate(kinds) if kind in GOOD)
    assert sorted(failed) == sorted(f"doc_{at}" for at, kind in enumerate(kinds) if kind not in GOOD)


def test_one_row_that_ends_its_host_costs_a_few_starts_and_its_neighbours_once_more() -> None:
    host = ModelHost()

    settle_all(["good"] * 700 + ["crash"] + ["good"] * 323, host)

    assert sum(host.calls) < 3.2 * 1024
    assert len(host.calls) < 80


def test_a_network_is_asked_again_after_as_long_as_it_asks() -> None:
    _, _, waits = settle_all(["refused"], ModelHost())

    assert len(waits) == NETWORK_RETRIES
    assert min(waits) >= 2.0


def test_rows_that_all_end_their_host_stop_the_batch_soon() -> None:
    host = ModelHost()

    with pytest.raises(BatchStopped, match=r"9 calls hung .* while 0 rows went through\. Last: .*SIGSEGV"):
        settle(rows_of(["crash"] * 1000), host, FaultBudget(), lambda _: None)

    assert len(host.calls) == FORGIVEN + 1


def test_a_batch_forgives_more_the_more_of_it_went_through() -> None:
    budget = FaultBudget()
    budget.note_good(16 * 100)

    for _ in range(FORGIVEN + 100):
        budget.note_costly(PluginCrashed("dead"))
    with pytest.raises(BatchStopped):
        budget.note_costly(PluginCrashed("dead"))


def test_rows_may_all_fail_unless_a_share_is_set() -> None:
    FaultBudget().note_failed(100_000, "no")
    strict = FaultBudget(share=0.1)
    strict.note_good(9000)
    strict.note_failed(1000, "no")

    with pytest.raises(BatchStopped, match=r"1001 of the first 10001 rows failed\. Last: the words"):
        strict.note_failed(1, "the words")


def test_few_rows_are_not_judged_by_their_share() -> None:
    strict = FaultBudget(share=0.0)
    strict.note_failed(999, "no")

    with pytest.raises(BatchStopped):
        strict.note_failed(1, "no")


@pytest.mark.parametrize(
    ("error", "cause", "times"),
    [
        (PluginRaised("ValueError"), "raised", 0),
        (PluginReplyInvalid("None"), "reply_invalid", 0),
        (PluginTimedOut("slow"), "timed_out", 0),
        (PluginCrashed("dead"), "crashed", 1),
        (PluginRaised("ConnectionError", retry_after_s=0.0), "network", NETWORK_RETRIES),
    ],
)
def test_what_may_pass_by_itself_is_tried_again_and_nothing_else(error: PluginError, cause: str, times: int) -> None:
    assert cause_of(error) == cause
    assert retries_of(cause) == times
    assert (cause in TRANSIENT) == (cause not in ("raised", "reply_invalid"))


@given(st.integers(1, 50), st.floats(0, 300))
def test_waiting_grows_and_is_never_shorter_than_asked(attempt: int, asked_s: float) -> None:
    assert asked_s <= backoff_s(attempt, asked_s) <= max(asked_s, 60.0)
    assert backoff_s(attempt + 1) >= backoff_s(attempt)


class Bad(Exception):
    """A row is at fault."""


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 80), st.integers(1, 40))
def test_isolating_finds_exactly_the_bad_rows_and_keeps_the_order_of_the_others(
    is_bad: list[bool], size: int, singly: int
) -> None:
    def call(piece: Sequence[int]) -> list[int]:
        assert 0 < len(piece) <= size
        if any(is_bad[row] for row in piece):
            raise Bad
        return list(piece)

    done = isolate(range(len(is_bad)), call, Bad, size=size, singly=singly)

    assert [row for _, result in done.parts for row in result] == [at for at, bad in enumerate(is_bad) if not bad]
    assert [row for row, _ in done.faults] == [at for at, bad in enumerate(is_bad) if bad]


@given(st.integers(2, 100_000), st.integers(1, 64))
def test_a_slice_that_failed_is_always_cut(rows: int, singly: int) -> None:
    assert 1 <= piece_size(rows, singly) < rows
