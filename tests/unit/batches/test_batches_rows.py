"""From objects to rows: columns that every documented example reads, and ids that never change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.models import Row
from mixpeek.batches.rows import (
    Recipe,
    document_id_from,
    part_of,
    row_from_document,
    rows_from_object,
    split_by_steps,
    split_incomplete,
)
from mixpeek.catalog.models import StoredObject
from mixpeek.collections.mappings import parse_mappings, source_name
from mixpeek.contract.columns import SYSTEM_COLUMNS
from mixpeek.documents.port import Document
from mixpeek.execution.port import Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def blob(name: str, data: Any, *, kind: str = "text", mime_type: str = "text/plain") -> dict[str, Any]:
    details = {"mime_type": mime_type, "size_bytes": len(str(data)), "hash": "h"}
    return {"blob_id": f"blob_{name}", "property": name, "type": kind, "data": data, "details": details}


def stored(*blobs: dict[str, Any], **fields: Any) -> StoredObject:
    return StoredObject("obj_1", "ns_1", "bkt_1", 1, None, list(blobs), fields, "DRAFT", NOW, NOW)


def recipe(
    *,
    mappings: dict[str, str] | list[dict[str, Any]] | None = None,
    passthrough: list[dict[str, Any]] | None = None,
    all_fields: bool = False,
    **more: Any,
) -> Recipe:
    return Recipe("col_1", "words_1_0_0", "ns_1", parse_mappings(mappings or {}), passthrough or [], all_fields, **more)


def made_of(source: StoredObject, **payload: Any) -> Document:
    """A document that another collection made of an object."""
    row = only_row(rows_from_object(source, recipe()))
    return Document("doc_source", "col_0", payload, {**row.internal, "collection_id": "col_0"}, {"vec": [1.0, 2.0]})


def only_row(found: list[Row]) -> Row:
    [row] = found
    return row


def test_a_row_has_data_the_property_the_mappings_and_every_system_column() -> None:
    row = only_row(rows_from_object(stored(blob("content", "hello")), recipe(mappings={"text": "content"})))

    assert row.columns["data"] == row.columns["content"] == row.columns["text"] == "hello"
    assert set(SYSTEM_COLUMNS) <= set(row.columns)
    assert row.columns["size_bytes"] == 0, "inline text counts no bytes"


def test_without_mappings_every_blob_makes_a_row() -> None:
    rows = rows_from_object(stored(blob("title", "a"), blob("body", "b")), recipe())

    assert [row.columns["data"] for row in rows] == ["a", "b"]
    assert len({row.document_id for row in rows}) == 2


def test_with_mappings_only_blobs_of_the_first_mapped_property_make_rows() -> None:
    found = rows_from_object(
        stored(blob("title", "a"), blob("body", "b"), lang="en"),
        recipe(mappings={"text": "body", "heading": "title", "language": "metadata.lang"}),
    )

    row = only_row(found)
    assert (row.columns["text"], row.columns["heading"], row.columns["language"]) == ("b", "a", "en")


def test_a_mapped_field_that_is_no_blob_makes_a_row_too() -> None:
    row = only_row(rows_from_object(stored(title="a title"), recipe(mappings={"text": "$.payload.title"})))

    assert row.columns["data"] == row.columns["text"] == "a title"
    assert row.blob_id is None


def test_an_object_without_the_mapped_property_makes_no_row() -> None:
    assert rows_from_object(stored(blob("title", "a")), recipe(mappings={"text": "body"})) == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"source_path": "content"}, {"content": "hello"}),
        ({"source_path": "metadata.author"}, {"author": "Ada"}),
        ({"source_path": "metadata.author", "target_path": "by"}, {"by": "Ada"}),
        ({"source_path": "place.city"}, {"city": "Paris"}),
        ({"source_path": "absent", "default": "none"}, {"absent": "none"}),
        ({"source_path": "absent"}, {"absent": None}),
    ],
)
def test_a_field_is_passed_through_under_its_last_name_or_its_target(
    item: dict[str, Any], expected: dict[str, Any]
) -> None:
    source = stored(blob("content", "hello"), author="Ada", place={"city": "Paris"})

    assert only_row(rows_from_object(source, recipe(passthrough=[item]))).passthrough == expected


def test_all_source_fields_pass_through_when_asked_for() -> None:
    row = only_row(rows_from_object(stored(blob("content", "hello"), author="Ada"), recipe(all_fields=True)))

    assert row.passthrough == {"content": "hello", "author": "Ada"}


@pytest.mark.parametrize("path", ["title", "metadata.title", "$.payload.title", "$.title", "title.inner"])
def test_every_way_to_write_a_path_names_its_property(path: str) -> None:
    assert source_name(path) == "title"


KEYS = st.text(st.characters(exclude_characters="\x1f"), max_size=12)


@given(st.lists(st.tuples(KEYS, KEYS, KEYS, st.integers(0, 9)), min_size=2, max_size=2, unique=True))
def test_document_ids_are_the_same_for_the_same_row_and_differ_for_others(
    rows: list[tuple[str, str, str, int]],
) -> None:
    first, second = rows

    assert document_id_from(*first) == document_id_from(*first)
    assert document_id_from(*first) != document_id_from(*second)


def test_document_ids_stay_what_they_were_in_released_versions() -> None:
    # A changed id would duplicate every document at the next trigger.
    assert document_id_from("col_1", "obj_1", "blob_1") == "doc_abfb69ab46d83452de8e1f00"


def test_a_row_that_no_enabled_step_takes_is_skipped_by_name() -> None:
    rows = rows_from_object(
        stored(blob("content", "hello"), blob("photo", "u", kind="image", mime_type="image/png")), recipe()
    )
    steps = [Step(0, "words", "cpu", "is_text", True), Step(1, "faces", "cpu", "is_image", False)]

    taken, skipped = split_by_steps(rows, steps)

    assert [row.columns["data"] for row in taken] == ["hello"]
    assert [(outcome.outcome, outcome.cause) for outcome in skipped] == [("skipped", "no_matching_step")]
    assert "image/png" in skipped[0].message


def test_an_input_may_be_a_literal_or_lie_deep_in_a_field() -> None:
    mappings = [
        {"input_key": "text", "source_type": "payload", "path": "parts.1.text"},
        {"input_key": "lang", "source_type": "literal", "override": "en"},
    ]
    source = stored(blob("parts", [{"text": "a"}, {"text": "b"}], kind="json"))

    columns = only_row(rows_from_object(source, recipe(mappings=mappings))).columns

    assert (columns["data"], columns["text"], columns["lang"]) == ("b", "b", "en")


def test_no_field_of_a_source_stands_in_the_place_of_a_system_column() -> None:
    source = stored(blob("object_id", "mine"))

    row = only_row(rows_from_object(source, recipe()))

    assert (row.columns["object_id"], row.columns["data"]) == ("obj_1", "mine")


def test_a_document_makes_one_row_of_its_mapped_field_with_its_vectors_and_lineage() -> None:
    mappings = [
        {"input_key": "text", "source_type": "payload", "path": "page"},
        {"input_key": "seen", "source_type": "vector", "path": "vec"},
    ]
    source = made_of(stored(blob("content", "all")), page="one page", topic="x")
    own = recipe(mappings=mappings, passthrough=[{"source_path": "topic"}], began_at="2026-01-01")

    row = row_from_document(source, own)

    lineage = row.internal["lineage"]
    assert set(SYSTEM_COLUMNS) <= set(row.columns)
    assert (row.columns["data"], row.columns["text"], row.columns["page"]) == ("one page", "one page", "one page")
    assert (row.columns["seen"], row.columns["mime_type"], row.passthrough) == (
        [1.0, 2.0],
        "text/plain",
        {"topic": "x"},
    )
    assert row.document_id == document_id_from("col_1", "doc_source", "page")
    assert (lineage["root_object_id"], lineage["root_bucket_id"]) == ("obj_1", "bkt_1")
    assert (lineage["source_document_id"], lineage["source_collection_id"]) == ("doc_source", "col_0")
    assert lineage["path"] == "bkt_1/col_1/col_1"
    assert [step["document_id"] for step in lineage["chain"]][-1] == row.document_id


def test_a_file_that_was_passed_through_keeps_its_kind_and_type() -> None:
    photo = stored(blob("photo", "file:///p.png", kind="image", mime_type="image/png"))
    source = made_of(photo, photo="file:///p.png", scan="file:///s.pdf")
    fields = {"photo": {"type": "image"}, "scan": {"type": "pdf"}}

    same = row_from_document(source, recipe(mappings={"image": "photo"}, source_fields=fields))
    other = row_from_document(source, recipe(mappings={"file": "scan"}, source_fields=fields))

    assert (same.columns["blob_type"], same.columns["mime_type"]) == ("image", "image/png")
    assert (other.columns["blob_type"], other.columns["mime_type"]) == ("pdf", "application/pdf")


def test_parts_differ_in_id_and_place_and_share_the_rest() -> None:
    row = only_row(rows_from_object(stored(blob("content", "x")), recipe()))

    first, second = part_of(row, 0), part_of(row, 1)

    assert first is row
    assert second.document_id == document_id_from("col_1", "obj_1", "blob_content", 1)
    assert second.internal["document_id"] == second.document_id
    assert second.internal["lineage"]["position"] == 1
    assert second.internal["lineage"]["chain"][-1]["document_id"] == second.document_id
    assert row.internal["lineage"]["chain"][-1]["document_id"] == row.document_id, "the row itself stays as it was"


def test_a_row_that_lacks_what_the_collection_asks_for_is_not_run_and_says_so() -> None:
    source = stored(blob("content", "x"), author="Ada")
    asked = [{"source_path": "author", "required": True}, {"source_path": "year", "required": True}]
    whole = [{"source_path": "author", "required": True}, {"source_path": "year", "required": True, "default": 2026}]
    own, defaulted, reading = recipe(passthrough=asked), recipe(passthrough=whole), recipe(mappings={"text": "page"})
    empty = row_from_document(made_of(source, page=None), reading)

    complete, outcomes = split_incomplete(rows_from_object(source, own), own)

    assert (complete, [(o.outcome, o.cause) for o in outcomes]) == ([], [("failed", "missing_required_field")])
    assert "'year'" in outcomes[0].message
    assert split_incomplete(rows_from_object(source, defaulted), defaulted)[1] == []
    assert [(o.outcome, o.cause) for o in split_incomplete([empty], reading)[1]] == [("skipped", "missing_input")]
