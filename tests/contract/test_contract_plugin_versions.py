"""A test per documented row about a plugin's versions: history, rollback and diff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factories.answers import refusal
from factories.plugins import FEATURE, MakePlugin
from factories.surface import Surface

NAME = "text_embed"


@pytest.fixture
def two_versions(surface: Surface, make_plugin: MakePlugin) -> tuple[str, str]:
    """The ids of 1.0.0 and 1.1.0, deployed one after the other."""

    first = surface.publish(make_plugin(NAME, into="1", files={"old.txt": "gone\n"}), message="initial release")
    second = surface.publish(
        make_plugin(NAME, into="2", version="1.1.0", dimension=16, manifest="dependencies = ['numpy']"),
        version="1.1.0",
        message="wider vectors",
    )
    for plugin_id in (first, second):
        assert surface.deploy(plugin_id, json={"message": f"go {plugin_id}"})["status"] == "DEPLOYED"
    return first, second


def history(surface: Surface, slug: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = surface.get(f"/by-name/{slug}/versions").raise_for_status().json()
    return found


def test_the_history_has_every_version_newest_first_with_its_deploys(
    surface: Surface, two_versions: tuple[str, str]
) -> None:
    found = history(surface)

    assert (found["success"], found["name"], found["active_version"], found["total"]) == (True, NAME, "1.1.0", 2)
    newest, oldest = found["versions"]
    assert [each["version"] for each in (newest, oldest)] == ["1.1.0", "1.0.0"]
    assert (newest["plugin_id"], newest["message"], newest["active"]) == (two_versions[1], "wider vectors", True)
    assert (newest["deployment_status"], oldest["deployment_status"]) == ("DEPLOYED", "NOT_DEPLOYED")
    for each in (newest, oldest):
        assert {"author", "code_hash", "size_bytes", "created_at", "validation_status"} <= set(each)
        (deploy,) = [done for done in each["deployments"] if done["status"] == "deployed"]
        assert (deploy["action"], deploy["message"]) == ("deploy", f"go {each['plugin_id']}")
        assert deploy["actor"]
        assert deploy["deployed_at"] == each["deployed_at"]


def test_a_dash_in_the_slug_means_an_underscore(surface: Surface, make_plugin: MakePlugin) -> None:
    surface.publish(make_plugin(NAME))

    assert history(surface, "text-embed") == history(surface)


def test_a_rollback_goes_to_the_version_before_and_a_named_one_anywhere(
    surface: Surface, two_versions: tuple[str, str]
) -> None:
    first, second = two_versions

    back = surface.post(f"/by-name/{NAME}/rollback", json={"message": "too wide"}).json()
    there_again = surface.post(f"/by-name/{NAME}/rollback", json={"version": "v1.1"}).json()

    assert (back["success"], back["plugin_id"], back["version"]) == (True, first, "1.0.0")
    assert (back["previous_version"], back["deployment_status"]) == ("1.1.0", "DEPLOYED")
    assert back["running_code_hash"] == back["code_hash"]
    assert (there_again["plugin_id"], there_again["previous_version"]) == (second, "1.0.0")
    assert surface.status(second)["deployed"] is True
    done = {each["version"]: each["deployments"] for each in history(surface)["versions"]}
    newest = done["1.0.0"][0]
    assert (newest["action"], newest["message"]) == ("rollback", "too wide")
    again = surface.post(f"/by-name/{NAME}/rollback", json={"version": "1.1.0"})
    refusal(again, 409, "ConflictError")


def test_a_rollback_to_a_version_that_does_not_start_changes_nothing(surface: Surface, make_plugin: MakePlugin) -> None:
    works = surface.publish(make_plugin(NAME, into="1"))
    broken = surface.publish(
        make_plugin(NAME, into="2", version="1.1.0", construct="raise ValueError('no weights here')"), version="1.1.0"
    )
    assert surface.deploy(works)["status"] == "DEPLOYED"

    error = refusal(surface.post(f"/by-name/{NAME}/rollback", json={"version": "1.1.0"}), 409, "ConflictError")

    assert "no weights here" in error["message"]
    assert history(surface)["active_version"] == "1.0.0"
    assert surface.status(broken)["status"] == "FAILED"
    tested = surface.post(f"/{works}/realtime/test", json={"inputs": {"text": "hello"}}).json()
    assert (tested["status"], tested["version"]) == ("success", "1.0.0")


def test_a_rollback_needs_somewhere_to_go(surface: Surface, make_plugin: MakePlugin) -> None:
    surface.publish(make_plugin(NAME))

    refusal(surface.post(f"/by-name/{NAME}/rollback"), 409, "ConflictError")
    refusal(surface.post(f"/by-name/{NAME}/rollback", json={"version": "9.9.9"}), 404, "NotFoundError")
    refusal(surface.post("/by-name/nope/rollback"), 404, "NotFoundError")


def test_a_diff_shows_files_and_what_the_manifest_declares(surface: Surface, make_plugin: MakePlugin) -> None:
    old = make_plugin(NAME, into="1", files={"old.txt": "gone\n"})
    new = make_plugin(
        NAME,
        into="2",
        version="1.1.0",
        dimension=16,
        manifest="dependencies = ['numpy']",
        files={"notes.txt": "one\ntwo\n"},
    )
    Path(new / "table.bin").write_bytes(b"\0\xff")
    surface.publish(old)
    surface.publish(new, version="1.1.0")

    diff = surface.get(f"/by-name/{NAME}/diff", params={"v1": "1.0.0", "v2": "v1.1"}).raise_for_status().json()

    assert (diff["success"], diff["name"], diff["v1"], diff["v2"]) == (True, NAME, "1.0.0", "1.1.0")
    files = {file["path"]: file for file in diff["files"]}
    assert (files["old.txt"]["status"], files["old.txt"]["removed_lines"]) == ("removed", 1)
    assert (files["notes.txt"]["status"], files["notes.txt"]["added_lines"]) == ("added", 2)
    assert (files["table.bin"]["binary"], files["table.bin"]["diff"]) == (True, "")
    assert files["manifest.py"]["status"] == "modified"
    assert '-    "version": "1.0.0",\n+    "version": "1.1.0",' in files["manifest.py"]["diff"]
    summary = diff["summary"]
    assert (summary["added"], summary["removed"]) == (2, 1)
    assert summary["modified"] == sum(1 for file in files.values() if file["status"] == "modified")
    assert summary["added_lines"] == sum(file["added_lines"] for file in files.values())
    manifest = diff["manifest"]
    assert {"field": "version", "before": "1.0.0", "after": "1.1.0"} in manifest["changed"]
    assert manifest["dependencies"] == {"added": ["numpy"], "removed": []}
    assert FEATURE in str(manifest["features"]["changed"])
    assert manifest["schemas"] == {"input": False, "output": False, "parameters": False}


def test_a_diff_needs_two_versions_that_exist(surface: Surface, make_plugin: MakePlugin) -> None:
    surface.publish(make_plugin(NAME))

    refusal(surface.get(f"/by-name/{NAME}/diff", params={"v1": "1.0.0"}), 422, "ValidationError")
    refusal(surface.get(f"/by-name/{NAME}/diff", params={"v1": "one", "v2": "1.0.0"}), 422, "ValidationError")
    refusal(surface.get(f"/by-name/{NAME}/diff", params={"v1": "1.0.0", "v2": "1.0.1"}), 404, "NotFoundError")
