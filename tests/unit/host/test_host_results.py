"""A result as JSON: what is written quickly says the same as what is written by the standard library's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.host import results
from mixpeek.host.failures import Failure
from mixpeek.host.results import encode_result

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(st.floats(-1, 1), min_size=40),
    max_leaves=20,
)


@given(VALUES)
def test_every_json_value_is_read_back_as_it_was(value: Any) -> None:
    assert json.loads(encode_result({"result": value, "vector": [0.1] * 40})) == {
        "result": value,
        "vector": [0.1] * 40,
    }


def test_a_vector_takes_the_quick_way_and_a_short_answer_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    writer = results._writer()
    assert writer is not None

    def write(value: Any) -> bytes:
        taken.append(value)
        return writer(value)

    monkeypatch.setattr(results, "_writer", lambda: write)
    encode_result({"embedding": [0.25] * 384})
    encode_result({"length": 5})

    assert taken == [{"embedding": [0.25] * 384}]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), {1, 2}, b"bytes", object(), 1j])
def test_what_json_cannot_say_is_refused_beside_a_vector_too(bad: object) -> None:
    with pytest.raises(Failure, match="not strict JSON"):
        encode_result({"embedding": [0.5] * 100, "more": [bad]})


def test_what_only_looks_like_a_number_that_json_lacks_passes() -> None:
    value = {"embedding": [0.5] * 100, "text": "NaN and Infinity", "odd": "\ud800"}

    assert json.loads(encode_result(value)) == value


def test_keys_become_text_as_the_standard_library_makes_them() -> None:
    assert json.loads(encode_result({1: [0.5] * 100, None: 2})) == {"1": [0.5] * 100, "null": 2}


def test_a_result_that_holds_itself_is_refused() -> None:
    value: list[Any] = [0.5] * 100
    value.append(value)

    with pytest.raises(Failure, match="not strict JSON"):
        encode_result(value)
