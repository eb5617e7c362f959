"""How the replies of two versions are compared."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixpeek.contract.manifest import Feature
from mixpeek.deployments.comparison import WHOLE, Difference, compare, cosine_distance


def embedding(name: str = "vector") -> Feature:
    return Feature(feature_type="embedding", feature_name=name, embedding_dim=2)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ([1, 0], [5, 0], 0.0),
        ([1, 0], [0, 2], 1.0),
        ([1.0, 1.0], [-1.0, -1.0], 2.0),
        ([0, 0], [0, 0], 0.0),
        ([0, 0], [1, 0], 1.0),
        ([1e300, 0], [1e300, 0], 0.0),
        ([], [], 0.0),
    ],
)
def test_the_cosine_distance_goes_from_0_for_one_direction_to_2_for_its_opposite(
    one: list[float], other: list[float], distance: float
) -> None:
    assert cosine_distance(one, other) == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [1, 2, 3]),
        ([1, 2], ["1", "2"]),
        ([1, 2], [None, 2]),
        ([1, 2], [[1], 2]),
        ([1, 2], [10**400, 2]),
        ([1, 2], [math.inf, 1]),
    ],
)
def test_vectors_that_cannot_be_compared_have_no_distance(one: list[Any], other: list[Any]) -> None:
    assert cosine_distance(one, other) is None


def test_each_embedding_is_compared_under_its_own_name_and_every_other_key_by_value() -> None:
    stable = {"vector": [1, 0], "title": [0, 1], "label": "cat", "score": 0.3, "gone": 1}
    shadow = {"vector": [0, 1], "title": [0, 2], "label": "dog", "score": 0.1 + 0.2, "new": 1}

    found = compare(stable, shadow, [embedding("vector"), embedding("title")])

    assert found.distances == {"vector": pytest.approx(1), "title": pytest.approx(0)}
    assert (found.changed, found.missing, found.added) == (["label"], ["gone"], ["new"])
    assert not found.is_none


def test_the_only_embedding_is_found_under_its_usual_names_and_never_counts_as_changed() -> None:
    found = compare({"embedding": [1, 0]}, {"vector": [1, 0.1]}, [embedding()])

    assert list(found.distances) == ["vector"]
    assert (found.changed, found.missing, found.added) == ([], ["embedding"], ["vector"])


def test_vectors_of_other_lengths_are_unlike() -> None:
    found = compare({"embedding": [1, 0]}, {"embedding": [1, 0, 0]}, [embedding()])

    assert (found.unlike, found.distances, found.changed) == (["vector"], {}, [])


def test_numbers_within_a_millionth_are_the_same_and_true_is_not_1() -> None:
    stable = {"a": {"b": [1.0, 10**400]}, "flag": True, "whole": 1}

    near = compare(stable, {"a": {"b": [1.0000001, 10**400]}, "flag": True, "whole": 1.0}, [])
    far = compare(stable, {"a": {"b": [1.00001, 10**400]}, "flag": 1, "whole": 1}, [])

    assert near == Difference()
    assert near.is_none
    assert far.changed == ["a", "flag"]


def test_replies_that_are_no_objects_are_compared_whole() -> None:
    assert compare([1, 2], [1, 2], []) == Difference()
    assert compare([1, 2], {"a": 1}, [embedding()]).changed == [WHOLE]


def test_what_a_plugin_calls_its_keys_is_cut_and_made_printable() -> None:
    (key,) = compare({}, {"\x00\x1b[31m" + "x" * 1000: 1}, []).added

    assert key.startswith("\\x00\\x1b[31m")
    assert key.isprintable()
    assert len(key) < 120


def test_replies_may_be_nested_as_deep_as_json_goes() -> None:
    def nested(end: int) -> Any:
        value: Any = end
        for _ in range(5000):
            value = [value]
        return value

    assert compare({"deep": nested(1)}, {"deep": nested(1)}, []).is_none
    assert compare({"deep": nested(1)}, {"deep": nested(2)}, []).changed == ["deep"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=30)
@given(one=JSON, other=JSON)
def test_whatever_two_plugins_say_it_can_be_compared_and_a_reply_is_like_itself(one: Any, other: Any) -> None:
    features = [embedding("embedding")]

    compare(one, other, features)
    itself = compare(one, one, features)

    assert (itself.changed, itself.missing, itself.added) == ([], [], [])
    assert all(distance < 1e-6 for distance in itself.distances.values())
