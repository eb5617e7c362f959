"""What `traffic` and `shadow` ask for."""

from __future__ import annotations

import pytest

from mixpeek.deployments.models import Role
from mixpeek.deployments.traffic import EVERYTHING, Split, split_from
from mixpeek.errors import InvalidRequest


@pytest.mark.parametrize(
    ("traffic", "shadow", "split"),
    [
        (None, False, EVERYTHING),
        (100, False, EVERYTHING),
        (1, False, Split(Role.CANARY, 1)),
        (99, False, Split(Role.CANARY, 99)),
        (None, True, Split(Role.SHADOW, 0)),
        (0, True, Split(Role.SHADOW, 0)),
    ],
)
def test_traffic_and_shadow_ask_for_one_role(traffic: int | None, shadow: bool, split: Split) -> None:
    assert split_from(traffic, shadow) == split


@pytest.mark.parametrize(
    ("traffic", "shadow", "batch_only", "name"),
    [
        (0, False, False, "traffic"),
        (1, True, False, "shadow"),
        (100, True, False, "shadow"),
        (100, False, True, "traffic"),
        (0, False, True, "traffic"),
        (None, True, True, "shadow"),
    ],
)
def test_a_contradiction_is_refused_by_name(traffic: int | None, shadow: bool, batch_only: bool, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        split_from(traffic, shadow, batch_only=batch_only)

    assert refused.value.details["parameter"] == name
    assert refused.value.hint
