"""What a feature address leads to: exact versions, those that took their place, words, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.stages.feature_search import scales_of
from mixpeek.retrieval.targets import Target, find_searched, find_spaces, targets_named

OLD, NEW = "mixpeek://words@1.0.0/vec", "mixpeek://words@2.0.0/vec"


def target(name: str, version: str = "1.0.0", **fields: Any) -> Target:
    given: dict[str, Any] = {
        "collection_id": f"col_{name}",
        "collection_name": name,
        "generation": 1,
        "plugin_namespace": "ns",
        "plugin_id": f"words_{version.replace('.', '_')}",
        "code_hash": f"hash of {version}",
        "parameters": {},
        "features": [{"name": "vec", "feature_uri": f"mixpeek://words@{version}/vec"}],
        "extractor": "words",
        **fields,
    }
    return Target(**given)


def names(searched: Any) -> list[str]:
    return [each.collection_name for each in searched.targets]


@pytest.mark.parametrize("uri", [OLD, "mixpeek://words@v1/vec", "mixpeek://words@1.0/vec", "mixpeek://words@1.0.0"])
def test_a_version_is_meant_however_it_is_written(uri: str) -> None:
    searched = find_searched(uri, [target("a"), target("b", "2.0.0")], {})

    assert names(searched) == ["a"]
    assert not searched.spaces[0].is_other


def test_collections_of_one_version_and_parameters_share_an_embedding() -> None:
    targets = [target("a"), target("b"), target("c", parameters={"size": 2}), target("d", code_hash="other")]

    spaces = find_searched(OLD, targets, {}).spaces

    assert [[each.collection_name for each in space.targets] for space in spaces] == [["a", "b"], ["c"], ["d"]]


def test_a_collection_that_was_built_anew_is_still_meant_if_it_was_bound_or_had_the_address() -> None:
    switched, elsewhere = target("switched", "2.0.0"), target("elsewhere", "2.0.0")

    bound = find_searched(OLD, [target("pinned"), switched, elsewhere], {OLD: ["col_switched"]})
    had = find_searched(OLD, [target("had", "2.0.0", former=[OLD]), elsewhere], {})
    loose = find_searched(OLD, [switched], None)

    assert (names(bound), [space.is_other for space in bound.spaces]) == (["pinned", "switched"], [False, True])
    assert names(had) == ["had"]
    assert names(loose) == ["switched"]
    with pytest.raises(InvalidRequest, match="No collection"):
        find_searched(OLD, [switched], {})


def test_the_latest_version_is_whatever_there_is() -> None:
    searched = find_searched("mixpeek://words@latest/vec", [target("a"), target("b", "2.0.0")], {})

    assert [space.is_other for space in searched.spaces] == [False, False]


def test_text_is_searched_by_words_whatever_the_version() -> None:
    searched = find_searched("mixpeek://words@1.0.0/text", [target("a"), target("b", "2.0.0")], {})

    assert ([each.collection_name for each in searched.text], searched.spaces) == (["a", "b"], [])


def test_a_vector_called_text_is_a_vector() -> None:
    own = target("a", features=[{"name": "text", "feature_uri": "mixpeek://words@1.0.0/text"}])

    searched = find_searched("mixpeek://words@1.0.0/text", [own], {})

    assert (names(searched), searched.text) == (["a"], [])


@pytest.mark.parametrize(
    "uri", ["mixpeek://other@1.0.0/vec", "mixpeek://words@1.0.0/none", "words", "mixpeek://words@x"]
)
def test_what_is_not_there_is_refused_with_what_is(uri: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_searched(uri, [target("a")], {})

    assert OLD in (refused.value.hint or "")


def test_a_search_is_confined_to_the_retrievers_collections() -> None:
    targets = [target("a"), target("b")]

    assert targets_named(targets, None) == targets
    assert targets_named(targets, ["b", "col_b"]) == targets[1:]
    with pytest.raises(InvalidRequest, match="does not search 'c'"):
        targets_named(targets, ["c"])


def test_scores_mean_the_same_only_within_one_metric_and_never_those_of_words() -> None:
    def by(metric: str) -> Target:
        feature = {"name": "vec", "feature_uri": OLD, "distance": metric}
        return target(metric, code_hash=metric, features=[feature])

    assert scales_of(find_searched("*", [by("cosine"), by("dot")], {})) == {"cosine", "dot"}
    assert scales_of(find_searched("*/text", [by("cosine")], {})) == {"words"}


def test_words_have_no_vectors_to_compare() -> None:
    with pytest.raises(InvalidRequest, match="no vectors"):
        find_spaces("mixpeek://words@1.0.0/text", [target("a")], {})
