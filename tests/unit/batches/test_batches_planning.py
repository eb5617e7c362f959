"""In which order collections are filled: each after all it reads from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.batches.planning import covered_from, tiers_from


def test_a_collection_is_filled_after_the_last_of_those_it_reads() -> None:
    readers = {"pages": ["chunks", "both"], "chunks": ["both"], "elsewhere": ["chunks"]}

    assert tiers_from(["pages"], readers) == [["pages"], ["chunks"], ["both"]]


def test_a_collection_that_reads_two_of_one_tier_is_filled_once() -> None:
    assert tiers_from(["a", "b"], {"a": ["c"], "b": ["c"]}) == [["a", "b"], ["c"]]


@pytest.mark.parametrize("readers", [{"a": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]}])
def test_a_circle_is_refused_by_name(readers: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="circle"):
        tiers_from(["a"], readers)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda edge: edge[0] < edge[1]), max_size=30))
def test_of_any_graph_without_circles_each_is_reached_once_and_after_all_it_reads(edges: list[tuple[int, int]]) -> None:
    readers: dict[str, list[str]] = {}
    for source, reader in edges:
        readers.setdefault(str(source), []).append(str(reader))

    tiers = tiers_from(["0"], readers)

    tier_of = {one: number for number, tier in enumerate(tiers) for one in tier}
    reached = {"0"}
    for _ in range(10):
        reached |= {reader for one in reached for reader in readers.get(one, ())}
    assert set(tier_of) == reached
    assert sum(map(len, tiers)) == len(reached)
    assert all(tier_of[source] < tier_of[reader] for source in reached for reader in readers.get(source, ()))


def test_only_who_reads_nothing_but_whole_collections_is_filled_from_all_its_sources_hold() -> None:
    tiers = [["pages", "notes"], ["chunks", "both", "mixed"], ["last"]]
    sources = {
        "chunks": ["pages"],
        "both": ["pages", "notes"],
        "mixed": ["pages", "elsewhere"],
        "last": ["chunks", "mixed"],
    }

    assert covered_from(tiers, sources, ["pages", "notes"]) == {"pages", "notes", "chunks", "both"}
    assert covered_from(tiers, sources, ["pages"]) == {"pages", "chunks"}
    assert covered_from(tiers, sources, []) == set()
