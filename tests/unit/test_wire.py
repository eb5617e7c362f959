"""Request bodies: unknown keys are refused with what they may stand for, known ones read as they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from mixpeek.wire import WireModel, known_keys


class Part(WireModel):
    size_bytes: int = Field(ge=0)


class Body(WireModel):
    display_name: str
    limit: int = Field(10, ge=1, alias="page_size")
    parts: list[Part] = Field(default_factory=list)


def faults(body: dict[str, Any]) -> list[Any]:
    with pytest.raises(ValidationError) as refused:
        Body.model_validate(body)
    return refused.value.errors()


def test_known_keys_include_aliases() -> None:
    assert known_keys(Body) == {"display_name", "limit", "page_size", "parts"}


@given(st.sampled_from(sorted(known_keys(Body))), st.data())
def test_a_key_with_one_letter_left_out_is_refused_with_the_key_it_stands_for(key: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(key) - 1))
    misspelt = key[:place] + key[place + 1 :]

    found = faults({"display_name": "x", misspelt: 1})

    assert [(line["type"], line["loc"]) for line in found] == [("unknown_key", (misspelt,))]
    assert f"did you mean `{key}`?" in found[0]["msg"]


def test_a_key_like_no_other_is_refused_with_all_there_are() -> None:
    [found] = faults({"display_name": "x", "zzzz": 1})

    assert "known keys: display_name, limit, page_size, parts" in found["msg"]


def test_every_fault_is_reported_with_its_place() -> None:
    found = faults({"page_size": 0, "parts": [{"size_byte": 1}], "nam": 1})

    assert {line["loc"] for line in found} == {
        ("display_name",),
        ("page_size",),
        ("parts", 0, "size_bytes"),
        ("parts", 0, "size_byte"),
        ("nam",),
    }


def test_a_name_and_its_alias_mean_the_same() -> None:
    assert Body.model_validate({"display_name": "x", "limit": 3}) == Body.model_validate(
        {"display_name": "x", "page_size": 3}
    )


@given(st.text(), st.integers(max_value=0))
def test_a_message_may_hold_any_text_from_the_body(name: str, limit: int) -> None:
    found = faults({"display_name": [name], "page_size": limit, "{braces}": "{advice}"})

    assert len(found) == 3
    assert all(isinstance(line["msg"], str) for line in found)
