"""What a feature URI names, and how a route shares requests between two versions."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mixpeek.serving.replica_set import ReplicaSet
from mixpeek.serving.routing import Route, RouteTable, Wanted, wanted_from_uri


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("mixpeek://words", Wanted("words")),
        ("mixpeek://words/vector", Wanted("words", None, "vector")),
        ("mixpeek://words@1.2.3/vector", Wanted("words", "1.2.3", "vector")),
        ("mixpeek://words@v1", Wanted("words", "v1")),
        ("mixpeek://words@live/vector", Wanted("words", None, "vector")),
        ("mixpeek://words@latest", Wanted("words")),
    ],
)
def test_a_feature_uri_without_a_version_follows_the_live_one(uri: str, wanted: Wanted) -> None:
    assert wanted_from_uri(uri) == wanted


@pytest.mark.parametrize("text", ["words", "http://words/vector", "mixpeek://", "mixpeek://a b", "mixpeek://a@1/b/c"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mixpeek://"):
        wanted_from_uri(text)


def sets(*names: str) -> list[ReplicaSet]:
    """Stand-ins: a route only hands sets on, it asks nothing of them."""
    return cast("list[ReplicaSet]", list(names))


def test_two_versions_share_requests_by_their_weights() -> None:
    blue, green = sets("blue", "green")
    route = Route(((blue, 90.0), (green, 10.0)))

    picked: list[Any] = [route.pick() for _ in range(4000)]

    assert 0.06 < picked.count(green) / len(picked) < 0.14


def test_a_version_without_weight_gets_nothing() -> None:
    blue, green = sets("blue", "green")

    assert {Route(((blue, 100.0), (green, 0.0))).pick() for _ in range(200)} == {blue}


def test_a_plugin_id_wins_over_a_name_and_namespaces_are_apart() -> None:
    by_name, by_id = (Route(((each, 1.0),)) for each in sets("by name", "by id"))
    table = RouteTable({("ns_a", "words_1_0_0"): by_name, ("ns_a", "words"): by_name}, {("ns_a", "words_1_0_0"): by_id})

    assert table.find("ns_a", Wanted("words_1_0_0")) is by_id
    assert table.find("ns_a", Wanted("words")) is by_name
    assert table.find("ns_b", Wanted("words")) is None


def test_a_version_that_is_live_is_found_however_it_is_written() -> None:
    (live,) = (Route(((each, 1.0),)) for each in sets("live"))
    table = RouteTable({}, {("ns_a", "words_1_0_0"): live})

    assert [table.find("ns_a", Wanted("words", written)) for written in ("1.0.0", "v1", "1")] == [live] * 3
    assert table.find("ns_a", Wanted("words", "1.1.0")) is None
    assert table.find("ns_a", Wanted("words", "nonsense")) is None
