"""Fields against a bucket's schema, and when two objects are the same."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.catalog.identity import content_hash, unique_hash
from mixpeek.catalog.values import check_kind, check_property, faults_of, merged_fields, with_defaults
from mixpeek.errors import InvalidRequest

SCHEMA: dict[str, dict[str, Any]] = {
    "content": {"type": "text", "required": True},
    "year": {"type": "integer", "default": 1999},
    "topic": {"type": "string", "enum": ["a", "b"]},
    "photo": {"type": "image"},
}
BLOB = {"property": "content", "type": "text", "data": "x", "details": {"hash": "h1"}}


@pytest.mark.parametrize(
    ("kind", "fits", "misfits"),
    [
        ("string", ["", "x"], [1, True, None, ["x"]]),
        ("integer", [1, 2.0, -3, 10**400], [1.5, "1", True]),
        ("number", [1, 1.5], ["1", False]),
        ("boolean", [True], [1, "true"]),
        ("array", [[], [1]], [{}, "[]"]),
        ("object", [{}], [[]]),
        ("date", ["2026-01-31"], ["31.1.2026", 5]),
        ("datetime", ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00+02:00"], ["now"]),
        ("json", [1, "x", None, {}], []),
    ],
)
def test_a_value_is_of_its_declared_type(kind: str, fits: list[Any], misfits: list[Any]) -> None:
    assert [value for value in fits if list(faults_of(value, {"type": kind}, "f"))] == []
    assert [value for value in misfits if not list(faults_of(value, {"type": kind}, "f"))] == []


def test_what_is_inside_lists_and_objects_is_checked_where_it_stands() -> None:
    declared = {
        "type": "array",
        "items": {"type": "object", "properties": {"n": {"type": "integer", "required": True}}},
    }

    faults = list(faults_of([{"n": 1}, {"n": "x"}, {}], declared, "rows"))

    assert [fault.split(":")[0].split(" ")[0].strip("'") for fault in faults] == ["rows[1].n", "rows[2].n"]


def test_every_fault_of_an_object_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refused:
        with_defaults({"year": "x", "topic": "c"}, set(), SCHEMA)

    assert all(name in refused.value.message for name in ("'content' is missing", "'year'", "'topic' is one of"))


def test_a_default_stands_in_for_what_is_missing() -> None:
    assert with_defaults({"topic": "a"}, {"content"}, SCHEMA) == {"topic": "a", "year": 1999}
    assert with_defaults({"year": 5}, {"content"}, SCHEMA) == {"year": 5}


def test_a_field_may_be_sent_at_the_root_or_under_metadata_but_not_as_two_values() -> None:
    assert merged_fields({"topic": "a"}, {"topic": "a", "more": 1}) == {"topic": "a", "more": 1}
    with pytest.raises(InvalidRequest, match="twice"):
        merged_fields({"topic": "a"}, {"topic": "b"})


def test_a_property_the_schema_lacks_is_refused_with_the_one_it_may_stand_for() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_property("contnt", SCHEMA)

    assert "'content'" in (refused.value.hint or "")


@pytest.mark.parametrize(("kind", "fits"), [("text", True), ("string", True), ("image", False), ("integer", False)])
def test_a_blob_is_of_its_propertys_type_or_one_alike(kind: str, fits: bool) -> None:
    if fits:
        check_kind("content", kind, SCHEMA)
        return
    with pytest.raises(InvalidRequest, match="is of type 'text'"):
        check_kind("content", kind, SCHEMA)


def test_the_unique_key_is_read_from_fields_paths_into_them_and_blobs() -> None:
    key = {"fields": ["content", "metadata.source.id"]}
    one = unique_hash(key, {"source": {"id": 7}, "topic": "a"}, [BLOB])

    assert one == unique_hash(key, {"source": {"id": 7}, "topic": "b"}, [BLOB])
    assert one != unique_hash(key, {"source": {"id": 8}}, [BLOB])
    assert one != unique_hash(key, {"source": {"id": 7}}, [{**BLOB, "data": "y"}])
    assert unique_hash(None, {}, []) is None


def test_an_object_without_a_part_of_its_unique_key_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"'metadata\.source\.id'"):
        unique_hash({"fields": ["content", "metadata.source.id"]}, {"source": {}}, [BLOB])


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not finite"):
        content_hash({"scores": [1.0, float("nan")]}, [])


def test_objects_that_hold_the_same_are_the_same_whatever_the_order_of_their_fields() -> None:
    one = content_hash({"a": 1, "b": 2}, [BLOB])

    assert one == content_hash({"b": 2, "a": 1}, [{**BLOB, "blob_id": "blob_1"}])
    assert one != content_hash({"a": 1, "b": 2}, [{**BLOB, "details": {"hash": "h2"}}])
