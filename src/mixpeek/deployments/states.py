"""Which states a deployment may be in, and which it may go to from there: one table, without I/O.

A state is a status with the phase it is in; a deployment that failed keeps the phase that it failed in.
"""

from __future__ import annotations

from mixpeek.deployments.models import UNDER_WAY, Phase, Status

State = tuple[Status, Phase]

QUEUED: State = (Status.QUEUED, Phase.QUEUED)
BUILDING: State = (Status.PENDING, Phase.BUILDING)
MODELS: State = (Status.IN_PROGRESS, Phase.MODELS)
GATE: State = (Status.IN_PROGRESS, Phase.GATE)
START: State = (Status.IN_PROGRESS, Phase.START)
SWITCH: State = (Status.IN_PROGRESS, Phase.SWITCH)
LIVE: State = (Status.DEPLOYED, Phase.LIVE)
ENDED: State = (Status.NOT_DEPLOYED, Phase.ENDED)

# How a deployment goes on when nothing fails. One for batches only ends without having been live; a live one ends
# when it is superseded or undeployed.
_FORWARD: dict[State, frozenset[State]] = {
    QUEUED: frozenset({BUILDING, ENDED}),
    BUILDING: frozenset({MODELS, GATE}),
    MODELS: frozenset({GATE}),
    GATE: frozenset({START, ENDED}),
    START: frozenset({SWITCH}),
    SWITCH: frozenset({LIVE}),
    LIVE: frozenset({ENDED}),
    ENDED: frozenset(),
}


def failed_in(state: State) -> State:
    """Return the state of a deployment that fails in this one."""
    return Status.FAILED, state[1]


_FAILED = {failed_in(state) for state in _FORWARD if state[0] in UNDER_WAY}
# Every legal state, with those it may be left for.
NEXT: dict[State, frozenset[State]] = {
    **{state: after | {failed_in(state)} if state[0] in UNDER_WAY else after for state, after in _FORWARD.items()},
    **dict.fromkeys(_FAILED, frozenset()),
}


def is_legal(before: State, after: State) -> bool:
    """Tell whether a deployment may go from one state to another; to stay where it is, is no transition."""
    return after in NEXT.get(before, frozenset())


def list_before(state: State) -> list[State]:
    """Return the states from which a deployment may go to this one, in a fixed order."""
    return sorted(before for before, after in NEXT.items() if state in after)
