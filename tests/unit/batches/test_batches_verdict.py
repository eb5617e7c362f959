"""How a batch ended, from its counts: the whole table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.planning import chunk_size
from mixpeek.batches.verdict import judge, judge_batch


@pytest.mark.parametrize(
    ("rows", "written", "missing", "status"),
    [
        (0, 0, 0, "COMPLETED"),
        (3, 3, 0, "COMPLETED"),
        (3, 2, 0, "COMPLETED_WITH_ERRORS"),
        (3, 1, 0, "COMPLETED_WITH_ERRORS"),
        (3, 0, 0, "FAILED"),
        (3, 3, 1, "FAILED"),
        (3, 2, 1, "FAILED"),
    ],
)
def test_the_verdict_follows_the_counts(rows: int, written: int, missing: int, status: str) -> None:
    verdict = judge(rows, written, missing, {"raised": rows - written} if rows > written else {}, "row doc_1: it broke")

    assert verdict.status == status
    assert (verdict.error is None) == (status == "COMPLETED")


def test_the_words_count_causes_and_quote_the_first_row() -> None:
    verdict = judge(10, 7, 0, {"raised": 2, "not_finite": 1}, "row doc_1: it broke")

    assert verdict.error == "3 of 10 rows were not stored: 2 raised, 1 not_finite. First: row doc_1: it broke"


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_completed_is_said_only_when_every_row_is_stored(rows: int, unwritten: int, missing: int) -> None:
    written = max(0, rows - unwritten)

    verdict = judge(rows, written, min(missing, written), {}, None)

    assert verdict.status != "COMPLETED" or (written == rows and not min(missing, written))


@given(st.integers(0, 10**7), st.integers(1, 64), st.integers(1, 8192))
def test_a_chunk_is_never_empty_nor_larger_than_allowed(objects: int, hosts: int, most: int) -> None:
    assert 1 <= chunk_size(objects, hosts, most) <= most


@pytest.mark.parametrize(
    ("tiers", "status", "error"),
    [
        ([("COMPLETED", None), ("COMPLETED", None)], "COMPLETED", None),
        ([("COMPLETED_WITH_ERRORS", "1 row")], "COMPLETED_WITH_ERRORS", "1 row"),
        ([("COMPLETED", None), ("COMPLETED_WITH_ERRORS", "1 row")], "COMPLETED_WITH_ERRORS", "tier 1: 1 row"),
        ([("COMPLETED_WITH_ERRORS", "a"), ("FAILED", "b"), ("SKIPPED", None)], "FAILED", "tier 0: a; tier 1: b"),
    ],
)
def test_a_batch_ends_as_the_worst_of_its_tiers_and_says_which(
    tiers: list[tuple[str, str | None]], status: str, error: str | None
) -> None:
    verdict = judge_batch(tiers)

    assert (verdict.status, verdict.error) == (status, error)
