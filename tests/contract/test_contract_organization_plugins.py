"""A test per documented row about plugins an organization shares, and about reconfiguring a namespace."""

from __future__ import annotations

from typing import Any

import pytest

from factories.answers import refusal
from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import FEATURE, MakePlugin, zip_of
from factories.surface import Surface, put
from mixpeek import Mixpeek


@pytest.fixture
def shared(surface: Surface, make_plugin: MakePlugin) -> str:
    """The name of a plugin that the organization shares, at 1.0.0."""
    name = unique("shared")
    answer = share(surface, name, zip_of(make_plugin(name, into="shared")))
    assert answer["plugin_id"] == f"{name}_1_0_0"
    return name


def share(surface: Surface, name: str, archive: bytes) -> dict[str, Any]:
    asked = surface.http.post("/plugins/uploads", json={"name": name, "version": "v1"})
    place = asked.raise_for_status().json()
    put(place, archive).raise_for_status()
    confirmed = surface.http.post(f"/plugins/uploads/{place['upload_id']}/confirm", json={"message": "for all"})
    answer: dict[str, Any] = confirmed.raise_for_status().json()
    return answer


def available(surface: Surface, plugin_id: str) -> dict[str, Any]:
    found = surface.get("/available").raise_for_status().json()
    assert (found["success"], found["namespace_id"]) == (True, surface.namespace_id)
    assert found["organization_id"]
    assert found["total"] == len(found["plugins"])
    (plugin,) = [each for each in found["plugins"] if each["plugin_id"] == plugin_id]
    return plugin


def test_the_organizations_twins_list_show_and_delete(surface: Surface, shared: str) -> None:
    plugin_id = f"{shared}_1_0_0"

    listed = surface.http.get("/plugins").raise_for_status().json()
    detail = surface.http.get(f"/plugins/{plugin_id}").raise_for_status().json()["plugin"]
    taken = surface.http.post("/plugins/uploads", json={"name": shared, "version": "1.0.0"})
    deleted = surface.http.delete(f"/plugins/{plugin_id}").raise_for_status().json()

    assert (listed["success"], listed["total"]) == (True, len(listed["plugins"]))
    assert plugin_id in {plugin["plugin_id"] for plugin in listed["plugins"]}
    assert (detail["name"], detail["version"], detail["validation_status"]) == (shared, "1.0.0", "passed")
    assert (detail["feature_uri"], detail["organization_id"]) == (
        f"mixpeek://{shared}@1.0.0/{FEATURE}",
        listed["organization_id"],
    )
    refusal(taken, 409, "AlreadyExistsError")
    assert (deleted["success"], deleted["plugin_id"], deleted["deployment_removed"]) == (True, plugin_id, False)
    refusal(surface.http.get(f"/plugins/{plugin_id}"), 404, "NotFoundError")


def test_a_shared_plugin_is_not_in_a_namespace_until_it_is_enabled(surface: Surface, shared: str) -> None:
    plugin_id = f"{shared}_1_0_0"
    community = {"params": {"source": "community"}}
    extractors = f"/namespaces/{surface.namespace_id}/extractors"

    before = available(surface, plugin_id)
    enabled = surface.post(f"/org/{plugin_id}/enable", json={"params": {"dimension": 8}, "deploy": False}).json()
    after = available(surface, plugin_id)

    assert (before["enabled_in_namespace"], after["enabled_in_namespace"]) == (False, True)
    assert (before["name"], before["version"], before["validation_status"]) == (shared, "1.0.0", "passed")
    assert (enabled["success"], enabled["plugin_id"], enabled["namespace_id"]) == (
        True,
        plugin_id,
        surface.namespace_id,
    )
    assert (enabled["feature_uri"], enabled["deployment_status"]) == (after["feature_uri"], "skipped")
    assert [each["name"] for each in surface.http.get(extractors, **community).json()["extractors"]] == [shared]
    disabled = surface.post(f"/org/{plugin_id}/disable").json()
    assert (disabled["success"], disabled["plugin_id"]) == (True, plugin_id)
    assert available(surface, plugin_id)["enabled_in_namespace"] is False
    assert surface.http.get(extractors, **community).json()["extractors"] == []
    refusal(surface.post(f"/org/{plugin_id}/disable"), 404, "NotFoundError")
    refusal(surface.post("/org/nope_1_0_0/enable"), 404, "NotFoundError")


def test_enabling_deploys_unless_told_not_to(surface: Surface, shared: str) -> None:
    enabled = surface.post(f"/org/{shared}_1_0_0/enable")

    assert enabled.raise_for_status().json()["deployment_status"] in {"pending", "deployed"}


def test_a_shared_plugin_that_collections_use_is_taken_away_by_force_only(
    surface: Surface, client: Mixpeek, shared: str
) -> None:
    plugin_id = f"{shared}_1_0_0"
    surface.post(f"/org/{plugin_id}/enable", json={"deploy": False}).raise_for_status()
    collection = collection_of(client, bucket_with(client, ["one", "two"]), shared)
    assert run_batch(client, collection).status == "COMPLETED"

    kept = refusal(surface.post(f"/org/{plugin_id}/disable"), 409, "ConflictError")
    not_deleted = refusal(surface.http.delete(f"/plugins/{plugin_id}"), 409, "ConflictError")
    forced = surface.post(f"/org/{plugin_id}/disable", params={"force": "true"})

    for error in (kept, not_deleted):
        assert [each["collection_id"] for each in error["details"]["collections"]] == [collection.collection_id]
    assert forced.status_code == 200
    assert len(all_documents(client, collection)) == 2


def test_reconfiguring_only_adds(surface: Surface, client: Mixpeek, make_plugin: MakePlugin) -> None:
    publish(client, make_plugin("text_embed"))
    collection = collection_of(client, bucket_with(client, ["one", "two"]), "text_embed")
    assert run_batch(client, collection).status == "COMPLETED"
    uri, other = f"mixpeek://text_embed@1.0.0/{FEATURE}", f"mixpeek://other_embed@1.0.0/{FEATURE}"

    planned = surface.post("/reconfigure", params={"dry_run": "true"}).json()
    done = surface.post("/reconfigure", json={"confirm": True}).json()
    again = surface.post("/reconfigure", json={"confirm": True}).json()
    publish(client, make_plugin("other_embed"))
    more = surface.post("/reconfigure", json={"confirm": True}).json()

    assert (planned["status"], planned["vectors_added"], planned["previous_points_count"]) == ("planned", [uri], 2)
    assert (done["status"], done["vectors_added"], done["vectors_total"]) == ("reconfigured", [uri], [uri])
    assert (again["status"], again["vectors_added"]) == ("no_changes_needed", [])
    assert (more["vectors_added"], more["vectors_total"]) == ([other], [other, uri])
    assert more["collections_to_reprocess"] == []
    assert more["message"]
    assert len(all_documents(client, collection, return_vectors=True)) == 2
    refusal(surface.post("/reconfigure"), 422, "ValidationError")
    refusal(surface.post("/reconfigure", json={"confirm": False}), 422, "ValidationError")
