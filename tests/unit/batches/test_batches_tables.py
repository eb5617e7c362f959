"""What a host sent back becomes documents only where every value is right; each other row gets its cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.models import Checked, Row
from mixpeek.batches.tables import check_output, table_from_rows
from mixpeek.contract.manifest import Feature

FEATURE = Feature(feature_type="embedding", feature_name="vec", embedding_dim=2)


def rows(count: int, **columns: Any) -> list[Row]:
    return [
        Row(
            f"doc_{at}",
            f"obj_{at}",
            None,
            {"document_id": f"doc_{at}", "data": "x", **columns},
            {"kept": at},
            {"collection_id": "col_1", "lineage": {"position": 0, "chain": [{"document_id": f"doc_{at}"}]}},
        )
        for at in range(count)
    ]


def fixed(*vectors: list[float] | None) -> pa.Array:
    return pa.array(list(vectors), pa.list_(pa.float32(), 2))


def ragged(*vectors: Any) -> pa.Array:
    return pa.array(list(vectors))


def check(count: int, **columns: Any) -> Checked:
    table = pa.table({"document_id": [f"doc_{at}" for at in range(count)], "data": ["x"] * count, **columns})
    return check_output(table, rows(count), [FEATURE], "btch_1")


def causes(checked: Checked) -> list[tuple[str, str]]:
    return [(outcome.row.document_id, outcome.cause) for outcome in checked.outcomes]


@pytest.mark.parametrize("column", [fixed, ragged])
def test_good_rows_become_documents_with_vectors_payload_and_what_is_passed_through(column: Any) -> None:
    checked = check(2, vec=column([1.0, 0.0], [0.0, 1.0]), label=["a", "b"])

    assert checked.outcomes == []
    assert [document.payload for document in checked.documents] == [
        {"kept": 0, "label": "a"},
        {"kept": 1, "label": "b"},
    ]
    assert [document.vectors["vec"].tolist() for document in checked.documents] == [[1.0, 0.0], [0.0, 1.0]]
    assert checked.documents[0].vectors["vec"].dtype == np.float32


def test_a_row_without_a_vector_is_skipped_and_its_neighbours_keep_theirs() -> None:
    checked = check(3, vec=fixed([1.0, 2.0], None, [3.0, 4.0]))

    assert [document.vectors["vec"].tolist() for document in checked.documents] == [[1.0, 2.0], [3.0, 4.0]]
    assert [(outcome.outcome, outcome.cause) for outcome in checked.outcomes] == [("skipped", "no_embedding")]


@pytest.mark.parametrize(
    ("column", "cause"),
    [
        (ragged([1.0, 0.0], [1.0, 2.0, 3.0]), "wrong_dimension"),
        (ragged([1.0, 0.0], []), "wrong_dimension"),
        (ragged([1.0, 0.0], [float("nan"), 1.0]), "not_finite"),
        (fixed([1.0, 0.0], [float("inf"), 1.0]), "not_finite"),
    ],
)
def test_a_bad_vector_costs_its_own_row_only(column: pa.Array, cause: str) -> None:
    checked = check(2, vec=column)

    assert [document.document_id for document in checked.documents] == ["doc_0"]
    assert causes(checked) == [("doc_1", cause)]


def test_a_column_of_text_in_place_of_vectors_is_a_wrong_dimension() -> None:
    assert causes(check(1, vec=["not numbers"])) == [("doc_0", "wrong_dimension")]


def test_a_feature_that_was_not_written_is_named_with_what_was() -> None:
    checked = check(1, vector=fixed([1.0, 0.0]))

    assert causes(checked) == [("doc_0", "missing_feature")]
    assert "'vec'" in checked.outcomes[0].message
    assert "'vector'" in checked.outcomes[0].message


@pytest.mark.parametrize("values", [[1.0, float("nan")], ["a", "b\x00"], [b"a", b"b"], [["x"], ["\x00"]]])
def test_a_value_that_json_cannot_hold_is_refused(values: list[Any]) -> None:
    assert ("doc_1", "unstorable_value") in causes(check(2, vec=fixed([1.0, 0.0], [0.0, 1.0]), value=values))


def test_a_dropped_row_is_reported() -> None:
    table = pa.table({"document_id": ["doc_1"], "vec": fixed([1.0, 0.0])})

    checked = check_output(table, rows(2), [FEATURE], "btch_1")

    assert causes(checked) == [("doc_0", "dropped_row")]
    assert [document.document_id for document in checked.documents] == ["doc_1"]


def test_rows_in_another_order_keep_their_own_values() -> None:
    table = pa.table({"document_id": ["doc_1", "doc_0"], "vec": fixed([1.0, 1.0], [0.0, 0.0])})

    checked = check_output(table, rows(2), [FEATURE], "btch_1")

    assert {d.document_id: d.vectors["vec"].tolist() for d in checked.documents} == {
        "doc_0": [0.0, 0.0],
        "doc_1": [1.0, 1.0],
    }


def test_a_document_id_that_nobody_gave_makes_no_document() -> None:
    table = pa.table({"document_id": ["doc_9"], "vec": fixed([1.0, 0.0])})

    assert check_output(table, rows(1), [FEATURE], "btch_1").documents == []


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_a_frame_has_one_line_per_row_whatever_kinds_of_value_they_hold(values: list[Any]) -> None:
    made = [
        Row(f"doc_{at}", "obj", None, {"document_id": f"doc_{at}", "data": value}, {}, {})
        for at, value in enumerate(values)
    ]

    table = table_from_rows(made)

    assert table.num_rows == len(values)
    assert [value is None for value in table.column("data").to_pylist()] == [value is None for value in values]


def test_a_column_that_only_some_rows_have_is_null_in_the_others() -> None:
    made = [*rows(1, extra="here"), *rows(1)]

    assert table_from_rows(made).column("extra").to_pylist() == ["here", None]


# One row per fault and per good value, in any order and number: nothing is lost and nothing is in both lists.
CELLS = st.sampled_from([[1.0, 0.0], [1.0], [float("nan"), 0.0], None])


@given(st.lists(CELLS, min_size=1, max_size=12))
def test_every_row_ends_as_a_document_or_with_a_cause_and_never_as_both(cells: list[Any]) -> None:
    checked = check(len(cells), vec=pa.array(cells, pa.list_(pa.float32())))

    stored = [document.document_id for document in checked.documents]
    reported = [outcome.row.document_id for outcome in checked.outcomes]
    assert sorted(stored + reported) == sorted(f"doc_{at}" for at in range(len(cells)))
    assert stored == [f"doc_{at}" for at, cell in enumerate(cells) if cell == [1.0, 0.0]]


# How many parts each row has, and whether the vector of each part is good.
PARTS = st.lists(st.lists(st.booleans(), max_size=4), min_size=1, max_size=6)


@given(PARTS)
def test_every_part_of_an_exploded_row_ends_as_a_document_or_with_a_cause(parts: list[list[bool]]) -> None:
    flat = [(at, good) for at, row in enumerate(parts) for good in row]
    vectors = pa.array([[1.0, 0.0] if good else [1.0] for _, good in flat], pa.list_(pa.float32()))
    table = pa.table({"document_id": pa.array([f"doc_{at}" for at, _ in flat], pa.string()), "vec": vectors})

    checked = check_output(table, rows(len(parts)), [FEATURE], "btch_1", explodes=True)

    stored = [(document.row_id, document.position) for document in checked.documents]
    assert checked.parts == {f"doc_{at}": len(row) for at, row in enumerate(parts)}
    assert stored == [(f"doc_{at}", n) for at, row in enumerate(parts) for n, good in enumerate(row) if good]
    assert sum(cause == "no_parts" for _, cause in causes(checked)) == sum(not row for row in parts)
    assert sum(cause == "wrong_dimension" for _, cause in causes(checked)) == sum(not good for _, good in flat)
    every = [d.document_id for d in checked.documents] + [o.row.document_id for o in checked.outcomes]
    assert len(set(every)) == len(every)
