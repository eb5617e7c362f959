"""Pages of results that are found anew for each: a page goes on behind the one before, whatever has gone since."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.pagination import Fingerprint, page_of
from mixpeek.retrieval.results import Result
from mixpeek.retrieval.schemas import Pagination


def results_of(scores: list[float]) -> list[Result]:
    return [Result(f"doc_{place}", "col", score) for place, score in enumerate(scores)]


def following(method: str, wire: dict[str, Any]) -> dict[str, Any]:
    return {"cursor": wire["next_cursor"]} if method == "cursor" else {"after": wire["after"]}


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=12),
    st.integers(1, 5),
    st.sampled_from(["cursor", "keyset"]),
    st.data(),
)
def test_a_page_goes_on_whatever_of_those_before_has_gone(
    scores: list[float], size: int, method: str, data: st.DataObject
) -> None:
    results = results_of(scores)  # in any order, as after a sort by a field
    first = page_of(results, Pagination.model_validate({"method": method, "limit": size}), Fingerprint("f"))
    if not first.wire["has_next"]:
        return

    gone = data.draw(st.sets(st.sampled_from([each.document_id for each in first.results])))
    left = [each for each in results if each.document_id not in gone]
    wanted = Pagination.model_validate({"method": method, "limit": 100, **following(method, first.wire)})
    second = page_of(left, wanted, Fingerprint("f"))

    assert second.results == results[size:]


@pytest.mark.parametrize("method", ["cursor", "keyset"])
def test_a_page_goes_on_at_its_place_where_both_its_neighbours_have_gone(method: str) -> None:
    results = results_of([0.0] * 6)
    first = page_of(results, Pagination.model_validate({"method": method, "limit": 2}), Fingerprint("f"))
    wanted = Pagination.model_validate({"method": method, "limit": 100, **following(method, first.wire)})

    second = page_of([results[0], *results[3:]], wanted, Fingerprint("f"))

    assert second.results == results[3:]


def test_a_marker_of_a_clients_own_goes_by_the_score() -> None:
    results = results_of([0.9, 0.5, 0.5, 0.1])
    wanted = Pagination.model_validate({"method": "keyset", "after": {"document_id": "gone", "score": 0.5}})

    assert [each.document_id for each in page_of(results, wanted, Fingerprint("f")).results] == ["doc_3"]


@pytest.mark.parametrize(
    "after",
    [{"score": 1}, {"document_id": 5}, {"document_id": "a", "score": "x"}, {"document_id": "a", "position": "1"}],
)
def test_what_is_no_marker_is_refused(after: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="no marker"):
        page_of(results_of([1.0]), Pagination.model_validate({"method": "keyset", "after": after}), Fingerprint("f"))
