"""Finds the rows at fault where a call as a whole failed, and tries those again for which that is worth it.

Inside a host, most faults are found already (`mixpeek.host.isolation`); what reaches this module is a host that died,
and rows that it names: as failed, as suspected to hang, or as not tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mixpeek.batches.faults import NETWORK, FaultBudget, backoff_s, cause_of, retries_of
from mixpeek.batches.models import Row
from mixpeek.errors import PluginError
from mixpeek.execution.port import RowFault
from mixpeek.host.isolation import piece_size, slices

if TYPE_CHECKING:
    import pyarrow as pa

# A host that dies costs its start again: so few rows are tried one by one.
SINGLY = 32


@dataclass(frozen=True)
class Called:
    """What one call made: a table of the rows that went through, and the others by their place in what was sent."""

    table: pa.Table
    rows: Sequence[Row]
    faults: Sequence[RowFault]


class Caller(Protocol):
    """Has a plugin run rows."""

    def __call__(self, rows: Sequence[Row], *, alone: bool) -> Called:
        """Run rows in one call; raise PluginError where the call as a whole failed, and its host may be dead."""


@dataclass
class Settled:
    """What became of rows: tables of those that went through, the failed ones, and those suspected to hang."""

    called: list[Called] = field(default_factory=list)
    failed: list[tuple[Row, PluginError]] = field(default_factory=list)
    suspects: list[Row] = field(default_factory=list)


def settle(
    rows: Sequence[Row], call: Caller, budget: FaultBudget, wait: Callable[[float], None], *, alone: bool = False
) -> Settled:
    """Run rows until each went through, failed alone, or is suspected.

    Args:
        wait: sleeps before a network is asked again.
        alone: the rows were suspected before: whichever hangs now has failed.
    Raises: BatchStopped: the budget is used up.
    """
    settled = Settled()
    tried: Counter[str] = Counter()
    waiting: list[Sequence[Row]] = [rows] if rows else []
    while waiting:
        piece = waiting.pop()
        try:
            called = call(piece, alone=alone)
        except PluginError as error:
            budget.note_costly(error)
            if len(piece) > 1:
                waiting += list(slices(piece, piece_size(len(piece), SINGLY)))[::-1]
            elif cause_of(error) == "timed_out" and not alone:
                settled.suspects.append(piece[0])  # its call was not given all the time a call may take
            elif _is_worth_it(piece[0], error, tried):
                waiting.append(piece)
            else:
                _fail(piece[0], error, settled, budget)
            continue
        settled.called.append(called)
        budget.note_good(len(called.rows))
        again, pause_s = _sort_out(piece, called, settled, tried, budget, alone=alone)
        if again:
            wait(pause_s)
            waiting.append(again)
    return settled


def _sort_out(
    sent: Sequence[Row], called: Called, settled: Settled, tried: Counter[str], budget: FaultBudget, *, alone: bool
) -> tuple[list[Row], float]:
    """Put each row that did not go through where it belongs; return those to try again, and after how long."""
    again, pause_s = [], 0.0
    untried = [sent[fault.row] for fault in called.faults if fault.error is None]
    for fault in called.faults:
        row, error = sent[fault.row], fault.error
        if error is None:
            continue
        cause = cause_of(error)
        if cause == "timed_out":
            # Where rows were left untried, many more calls hung than rows could be told of.
            budget.note_costly(error, 2 if untried else 1)
        if cause == "timed_out" and not alone:
            settled.suspects.append(row)
        elif _is_worth_it(row, error, tried):
            again.append(row)
            if cause == NETWORK:
                pause_s = max(pause_s, backoff_s(tried[row.document_id], error.details["retry_after_s"]))
        else:
            _fail(row, error, settled, budget)
    return untried + again, pause_s


def _fail(row: Row, error: PluginError, settled: Settled, budget: FaultBudget) -> None:
    settled.failed.append((row, error))
    budget.note_failed(1, error.message)


def _is_worth_it(row: Row, error: PluginError, tried: Counter[str]) -> bool:
    tried[row.document_id] += 1
    return tried[row.document_id] <= retries_of(cause_of(error))
