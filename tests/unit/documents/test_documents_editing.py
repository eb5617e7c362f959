"""What users may set on documents, and how it is laid over what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.documents.editing import check_fields, selected, with_fields
from mixpeek.errors import InvalidRequest


@pytest.mark.parametrize(
    ("payload", "fields", "changed"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a.b": 3}, {"a": {"b": 3, "c": 2}}),
        ({"a": 5}, {"a.b.c": 3}, {"a": {"b": {"c": 3}}}),
        ({"a.b": 1}, {"a.b": 2}, {"a.b": 2}),
        ({}, {"a.b": 1, "a.c": 2}, {"a": {"b": 1, "c": 2}}),
    ],
)
def test_fields_are_set_also_within_others(
    payload: dict[str, Any], fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    before = {key: dict(value) if isinstance(value, dict) else value for key, value in payload.items()}

    assert with_fields(payload, fields) == changed
    assert payload == before


@pytest.mark.parametrize(
    "name", ["document_id", "_internal", "_internal.lineage", "collection_id", "vec", "root_object_id", "a..b", ""]
)
def test_what_is_not_a_users_to_set_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_fields({"fine": 1, name: 2}, {"vec"})

    assert [fault["location"] for fault in caught.value.details["validation_errors"]] == [["body", name]]


def test_text_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        check_fields({"a": ["\x00"]}, ())


def test_a_selection_keeps_the_ids_and_what_it_names() -> None:
    document = {
        "document_id": "d",
        "collection_id": "c",
        "a": {"b": 1, "c": 2},
        "x.y": 3,
        "z": 4,
        "_internal": {"n": 1},
    }

    assert selected(document, ["a.b", "a.c", "x.y", "absent", "_internal.n", "z.w"]) == {
        "document_id": "d", "collection_id": "c", "a": {"b": 1, "c": 2}, "x.y": 3, "_internal": {"n": 1},
    }  # fmt: skip
