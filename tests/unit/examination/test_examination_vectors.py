"""Whether two vectors mean the same, and whether one can be stored."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.contract.manifest import Feature
from mixpeek.examination.vectors import cosine, fault_of_vector

FEATURE = Feature(feature_type="embedding", feature_name="words", embedding_dim=2)
VECTORS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3)


@given(VECTORS, VECTORS)
def test_a_cosine_is_a_number_from_minus_one_to_one_however_large_the_vectors(
    one: list[float], other: list[float]
) -> None:
    assert -1.0 - 1e-9 <= cosine(one, other) <= 1.0 + 1e-9
    assert cosine(one, other) == pytest.approx(cosine(other, one))


@given(VECTORS, st.floats(0.5, 2.0))
def test_a_vector_has_the_direction_of_itself_and_of_its_multiples(one: list[float], factor: float) -> None:
    assert cosine(one, one) == 1.0
    if all(abs(number) < 1e300 and (number == 0 or abs(number) > 1e-300) for number in one) and any(one):
        assert cosine(one, [factor * number for number in one]) == pytest.approx(1.0)
        assert cosine(one, [-number for number in one]) == pytest.approx(-1.0)


def test_a_zero_vector_is_like_itself_and_like_nothing_else() -> None:
    assert cosine([0.0, 0.0], [0.0, 0.0]) == 1.0
    assert cosine([0.0, 0.0], [1.0, 0.0]) == 0.0
    assert cosine([1.0, 0.0], [0.0, 1.0]) == 0.0
    assert cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize(
    ("vector", "fault"),
    [
        ([1.0, 2], None),
        ([1.0], "has 1 numbers, its manifest says 2"),
        ([1.0, "2"], "not a finite number"),
        ([1.0, math.nan], "not a finite number"),
        ([1.0, 10**400], "not a finite number"),
        ("12", "is not a list of numbers"),
        (None, "no vector"),
    ],
)
def test_a_vector_that_cannot_be_stored_has_a_fault(vector: object, fault: str | None) -> None:
    found = fault_of_vector(vector, FEATURE)

    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")
