"""Text that the database cannot hold is found wherever it stands, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.text import fault_of_text, storable

STORABLE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
STORABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | STORABLE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STORABLE_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(STORABLE)
def test_storable_values_have_no_fault(value: Any) -> None:
    assert fault_of_text(value) is None


@given(STORABLE, st.text(), st.sampled_from(["\x00", "\ud800", "\udfff"]), st.text())
def test_unstorable_text_is_found_however_deep_it_stands(value: Any, before: str, fault: str, after: str) -> None:
    text = before + fault + after

    assert fault_of_text([value, {"a": [{"b": text}]}]) is not None
    assert fault_of_text({text: value}) is not None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\x00b", "the text holds the NUL character"),
        ("ab\ud800", "the text holds a lone surrogate at position 2"),
        ({"blobs": [{"data": "\x00"}]}, "blobs[0].data holds the NUL character"),
        ({"a": {"b": ["x", "\udfff"]}}, "a.b[1] holds a lone surrogate at position 0"),
    ],
)
def test_the_fault_says_where_and_what(value: Any, words: str) -> None:
    assert words in str(fault_of_text(value))


@given(st.text())
def test_what_has_no_fault_is_utf_8(text: str) -> None:
    if fault_of_text(text) is None:
        assert json.loads(json.dumps(text).encode()) == text
        assert b"\x00" not in text.encode()


@given(st.text(st.characters()))
def test_any_text_can_be_made_storable_and_what_was_stays_as_it_is(text: str) -> None:
    assert fault_of_text(storable(text)) is None
    assert len(storable(text)) == len(text)
    assert storable(text) == text or fault_of_text(text) is not None
