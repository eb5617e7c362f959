"""The state machine of upgrades: every transition, legal and illegal, and when a switch is complete."""

from __future__ import annotations

import itertools

import pytest

from mixpeek.collections.upgrade_states import NEXT, OPEN, State, fault_of_switch, is_legal, list_before

# Written out once more, by hand: what the table in `upgrade_states` must come to.
LEGAL = {
    "BUILDING": "READY FAILED CANCELED LIVE",
    "READY": "LIVE CANCELED",
    "LIVE": "ROLLED_BACK DONE",
    "ROLLED_BACK": "LIVE DONE",
}


@pytest.mark.parametrize("before", State)
def test_an_upgrade_may_go_to_these_states_and_to_no_other(before: State) -> None:
    allowed = {after for after in State if is_legal(before, after)}

    assert allowed == set(LEGAL.get(before, "").split())


def test_what_comes_before_a_state_is_what_may_be_left_for_it() -> None:
    for before, after in itertools.product(State, State):
        assert (before in list_before(after)) == is_legal(before, after)


def test_two_generations_are_kept_while_an_upgrade_can_go_on() -> None:
    assert set(LEGAL) == OPEN
    assert {state for state, after in NEXT.items() if not after} == {State.DONE, State.FAILED, State.CANCELED}


@pytest.mark.parametrize(
    ("state", "failed", "behind", "fault"),
    [
        (State.READY, 0, None, None),
        (State.READY, 2, None, "2 rows failed in the new generation"),
        (State.READY, 0, "batch b is not in it", "batch b is not in it"),
        (State.BUILDING, 0, None, "the new generation is still being built"),
        (State.LIVE, 2, None, None),
        (State.ROLLED_BACK, 0, "batch b is not in it", "batch b is not in it"),
    ],
)
def test_a_switch_is_complete_when_all_is_built_and_nothing_is_behind(
    state: State, failed: int, behind: str | None, fault: str | None
) -> None:
    assert fault_of_switch(state, failed, behind) == fault
