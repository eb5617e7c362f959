"""The state machine of deployments: every transition, legal and illegal."""

from __future__ import annotations

import itertools

import pytest

from mixpeek.deployments.models import UNDER_WAY, Phase, Status
from mixpeek.deployments.states import NEXT, State, is_legal, list_before

# Written out once more, by hand: what the table in `states` must come to.
LEGAL = {
    "QUEUED/queued": "PENDING/building NOT_DEPLOYED/ended FAILED/queued",
    "PENDING/building": "IN_PROGRESS/models IN_PROGRESS/gate FAILED/building",
    "IN_PROGRESS/models": "IN_PROGRESS/gate FAILED/models",
    "IN_PROGRESS/gate": "IN_PROGRESS/start NOT_DEPLOYED/ended FAILED/gate",
    "IN_PROGRESS/start": "IN_PROGRESS/switch FAILED/start",
    "IN_PROGRESS/switch": "DEPLOYED/live FAILED/switch",
    "DEPLOYED/live": "NOT_DEPLOYED/ended",
    "NOT_DEPLOYED/ended": "",
    **{f"FAILED/{phase}": "" for phase in ("queued", "building", "models", "gate", "start", "switch")},
}
PAIRS = list(itertools.product(Status, Phase))


def written(state: State) -> str:
    return "/".join(state)


@pytest.mark.parametrize("before", PAIRS, ids=written)
def test_a_deployment_may_go_to_these_states_and_to_no_other(before: State) -> None:
    allowed = {written(after) for after in PAIRS if is_legal(before, after)}

    assert allowed == set(LEGAL.get(written(before), "").split())


def test_the_legal_states_are_these() -> None:
    assert {written(state) for state in NEXT} == set(LEGAL)


def test_what_comes_before_a_state_is_what_may_be_left_for_it() -> None:
    for before, after in itertools.product(PAIRS, PAIRS):
        assert (before in list_before(after)) == is_legal(before, after)


def test_only_what_has_ended_is_never_left_and_everything_under_way_can_fail_and_can_end_well() -> None:
    final = {state for state, after in NEXT.items() if not after}

    assert {status for status, _ in final} == {Status.NOT_DEPLOYED, Status.FAILED}
    for state in NEXT:
        if state[0] in UNDER_WAY:
            assert is_legal(state, (Status.FAILED, state[1]))
            assert reachable(state) & {(Status.DEPLOYED, Phase.LIVE), (Status.NOT_DEPLOYED, Phase.ENDED)}
        assert reachable(state) & final or state in final


def reachable(state: State) -> set[State]:
    found: set[State] = set()
    waiting = [state]
    while waiting:
        for after in NEXT[waiting.pop()] - found:
            found.add(after)
            waiting.append(after)
    return found
