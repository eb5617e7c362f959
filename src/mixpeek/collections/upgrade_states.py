"""Which states an upgrade may be in, and which it may go to from there: one table, without I/O.

BUILDING: its generation is filled. READY: that is complete and may be switched to. LIVE: it is searched, the one before
is kept. ROLLED_BACK: the one before is searched again, the new one is kept. DONE: the one not searched was dropped.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    BUILDING = "BUILDING"
    READY = "READY"
    LIVE = "LIVE"
    ROLLED_BACK = "ROLLED_BACK"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


# An upgrade that is forced goes LIVE while it is still building; then the build's end changes nothing any more.
NEXT: dict[State, frozenset[State]] = {
    State.BUILDING: frozenset({State.READY, State.FAILED, State.CANCELED, State.LIVE}),
    State.READY: frozenset({State.LIVE, State.CANCELED}),
    State.LIVE: frozenset({State.ROLLED_BACK, State.DONE}),
    State.ROLLED_BACK: frozenset({State.LIVE, State.DONE}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
# While it is in one of these, two generations are kept and both are written to.
OPEN = frozenset(state for state, after in NEXT.items() if after)


def is_legal(before: State, after: State) -> bool:
    """Tell whether an upgrade may go from one state to another."""
    return after in NEXT[before]


def list_before(state: State) -> list[State]:
    """Return the states from which an upgrade may go to this one, in a fixed order."""
    return [before for before, after in NEXT.items() if state in after]


def fault_of_switch(state: State, failed_rows: int, behind: str | None) -> str | None:
    """Return why what a switch would show is not complete; None if it is."""
    if state is State.BUILDING:
        return "the new generation is still being built"
    if state is State.READY and failed_rows:
        return f"{failed_rows} rows failed in the new generation"
    return behind
