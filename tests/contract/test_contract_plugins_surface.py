"""A test per documented row of the plugins surface: uploading, deploying, looking at what is there, deleting."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.platform import bucket_with, collection_of
from factories.plugins import DIMENSION, FEATURE, MakePlugin, zip_of
from factories.surface import Surface, put
from mixpeek import Mixpeek

NAME = "text_embed"
URI = f"mixpeek://{NAME}@1.0.0/{FEATURE}"
SHA256 = re.compile(r"[0-9a-f]{64}")


# Uploads ------------------------------------------------------------------------------------------------------------


def test_an_upload_says_where_to_put_the_archive_and_how_long_that_lasts(surface: Surface) -> None:
    place = surface.open_upload(NAME, version="1.0.0", file_size_bytes=5000, description="d")

    assert place["upload_id"]
    assert place["presigned_url"].startswith("http")
    assert (place["name"], place["version"], place["namespace_id"]) == (NAME, "1.0.0", surface.namespace_id)
    assert place["s3_key"]
    lasts = datetime.fromisoformat(place["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < lasts <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "normalised"), [("v1", "1.0.0"), ("1.0", "1.0.0"), ("v2.1", "2.1.0"), ("3.4.5", "3.4.5")]
)
def test_a_version_is_normalised(surface: Surface, given: str, normalised: str) -> None:
    assert surface.open_upload(NAME, version=given)["version"] == normalised


@pytest.mark.parametrize("body", [
    {"name": "ab"},
    {"name": "1abc"},
    {"name": "with-dash"},
    {"name": "text_embed\n"},
    {"name": "a" * 65},
    {"name": NAME, "version": "one"},
    {"name": NAME, "version": "1.0.0.0"},
    {"name": NAME, "file_size_bytes": -1},
    {"name": NAME, "presigned_url_expiration": 59},
    {"name": NAME, "presigned_url_expiration": 86401},
    {"version": "1.0.0"},
])  # fmt: skip
def test_an_upload_that_the_documents_do_not_allow_is_422(surface: Surface, body: dict[str, Any]) -> None:
    error = refusal(surface.post("/uploads", json=body), 422, "ValidationError")

    assert error["details"]["validation_errors"][0]["location"]


def test_versions_left_out_count_up_from_the_highest_published(surface: Surface, make_plugin: MakePlugin) -> None:
    folder = make_plugin(NAME)

    numbers = [surface.publish(folder, version=None) for _ in range(2)]
    given = surface.publish(make_plugin(NAME, into="later", version="2.0.0"), version="v2")

    assert numbers == [f"{NAME}_1_0_0", f"{NAME}_1_0_1"]
    assert given == f"{NAME}_2_0_0"
    assert surface.open_upload(NAME)["version"] == "2.0.1"


def test_the_put_answers_with_an_etag_that_confirm_takes(surface: Surface, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin(NAME))
    place = surface.open_upload(NAME, version="1.0.0")

    etag = put(place, archive).raise_for_status().headers["ETag"]
    confirmed = surface.confirm(place, etag=etag, file_size_bytes=len(archive), message="initial release")

    assert confirmed.status_code == 200, confirmed.text


def test_confirm_publishes_and_answers_the_same_when_repeated(surface: Surface, make_plugin: MakePlugin) -> None:
    place = surface.upload(zip_of(make_plugin(NAME)), NAME, version="1.0.0")

    first = surface.confirm(place, message="initial release").json()
    again = surface.post(f"/uploads/{place['upload_id']}/confirm").json()

    assert first == again
    assert (first["success"], first["plugin_id"], first["validation_errors"]) == (True, f"{NAME}_1_0_0", [])
    assert (first["upload_id"], first["validation_status"]) == (place["upload_id"], "passed")
    assert (first["deployment_status"], first["feature_uri"]) == ("not_deployed", URI)


def test_confirm_refuses_a_forbidden_call_with_its_place(surface: Surface, make_plugin: MakePlugin) -> None:
    folder = make_plugin(NAME, files={"helper.py": "import subprocess\n\nsubprocess.run(['id'])\n"})

    answer = surface.confirm(surface.upload(zip_of(folder), NAME, version="1.0.0"))

    refusal(answer, 400, "BadRequestError")
    body = answer.json()
    assert body["validation_status"] == "failed"
    found = [each for each in body["validation_errors"] if each["file"] == "helper.py"]
    assert found
    assert all(each["line"] and each["column"] is not None and each["message"] for each in found)
    assert surface.get().json()["total"] == 0


def test_confirming_an_unknown_upload_is_404(surface: Surface) -> None:
    refusal(surface.post("/uploads/pup_unknown/confirm", json={}), 404, "NotFoundError")


def test_a_multipart_form_publishes_directly(surface: Surface, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin(NAME))
    form = {"name": NAME, "version": "v1", "description": "sent as a form"}

    def send() -> httpx.Response:
        return surface.post("", files={"file": (f"{NAME}.zip", archive, "application/zip")}, data=form)

    sent, again = send(), send()

    assert sent.status_code == 200, sent.text
    answer = sent.json()
    assert (answer["success"], answer["plugin_id"], answer["validation_status"]) == (True, f"{NAME}_1_0_0", "passed")
    assert (answer["validation_errors"], answer["feature_uri"]) == ([], URI)
    assert {"deployment_status", "s3_archive_url"} <= set(answer)
    assert surface.get(f"/{NAME}_1_0_0").json()["plugin"]["description"] == "sent as a form"
    refusal(again, 409, "AlreadyExistsError")


# Deployments --------------------------------------------------------------------------------------------------------


def test_a_version_is_deployed_asked_and_torn_down(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME))

    before = surface.status(plugin_id)
    queued = surface.post(f"/{plugin_id}/deploy").json()
    deployed = surface.ended(plugin_id)
    tested = surface.post(f"/{plugin_id}/realtime/test", json={"inputs": {"text": "hello"}, "parameters": {}}).json()
    torn_down = surface.post(f"/{plugin_id}/undeploy")
    after = surface.status(plugin_id)

    assert (before["status"], before["deployed"], before["realtime_enabled"]) == ("NOT_DEPLOYED", False, False)
    assert (queued["status"], queued["deployment_type"]) == ("queued", "realtime")
    assert queued["route_prefix"]
    assert (deployed["status"], deployed["deployed"], deployed["error"]) == ("DEPLOYED", True, None), deployed
    assert deployed["deployed_at"]
    assert (tested["status"], tested["inference_name"], tested["error"]) == ("success", plugin_id, None)
    assert (tested["response_type"], tested["response_keys"]) == ("dict", ["embedding"])
    assert len(tested["raw_response"]["embedding"]) == DIMENSION
    assert torn_down.status_code == 200
    assert (after["status"], after["deployed"]) == ("NOT_DEPLOYED", False)
    assert surface.get().json()["total"] == 1


def test_batch_only_skips_the_realtime_endpoint(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME))

    answer = surface.post(f"/{plugin_id}/deploy", params={"deployment_type": "batch_only"}).json()

    assert (answer["status"], answer["deployment_type"]) == ("batch_only", "batch_only")
    status = surface.status(plugin_id)
    assert (status["status"], status["realtime_enabled"]) == ("NOT_DEPLOYED", False)
    refusal(surface.post(f"/{plugin_id}/deploy", params={"deployment_type": "other"}), 422, "ValidationError")


def test_a_rollout_that_fails_says_why_in_its_status(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME, construct="raise ValueError('no weights here')"))

    ended = surface.deploy(plugin_id)

    assert (ended["status"], ended["deployed"]) == ("FAILED", False)
    assert "no weights here" in ended["error"]


def test_a_realtime_test_reports_what_the_plugin_raised_as_an_answer(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME))
    assert surface.deploy(plugin_id)["status"] == "DEPLOYED"

    tested = surface.post(f"/{plugin_id}/realtime/test", json={"inputs": {}})

    assert tested.status_code == 200
    answer = tested.json()
    assert (answer["status"], answer["raw_response"], answer["response_keys"]) == ("error", None, [])
    assert "text" in answer["error"]


# Looking ------------------------------------------------------------------------------------------------------------


def test_the_list_and_the_detail_show_a_published_version(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME, manifest="dependencies = ['numpy']"), message="initial release")

    listed = surface.get().json()
    detail = surface.get(f"/{plugin_id}").json()

    assert (listed["success"], listed["total"], listed["namespace_id"]) == (True, 1, surface.namespace_id)
    for plugin in (listed["plugins"][0], detail["plugin"]):
        assert (plugin["plugin_id"], plugin["name"], plugin["version"]) == (plugin_id, NAME, "1.0.0")
        assert (plugin["description"], plugin["deployed"]) == ("Counts words", False)
        assert (plugin["validation_status"], plugin["feature_uri"]) == ("passed", URI)
        assert plugin["created_at"]
        assert plugin["updated_at"]
    assert detail["presigned_download_url"] is None
    plugin, manifest = detail["plugin"], detail["plugin"]["manifest"]
    assert (plugin["namespace_id"], plugin["security_scan_passed"]) == (surface.namespace_id, True)
    assert SHA256.fullmatch(plugin["code_hash"])
    assert {"organization_id", "s3_archive_url", "deployment_info", "deployed_at", "resolved_inference_name"} <= set(
        plugin
    )
    assert manifest["required_vector_indexes"][0]["feature_name"] == FEATURE
    assert manifest["dependencies"] == ["numpy"]
    assert {"input_schema", "output_schema", "parameter_schema", "compute_profile", "feature_uri"} <= set(manifest)


def test_the_details_presigned_url_and_the_download_give_the_uploaded_bytes_without_a_key(
    surface: Surface, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin(NAME))
    surface.confirm(surface.upload(archive, NAME, version="1.0.0")).raise_for_status()

    detail = surface.get(f"/{NAME}_1_0_0", params={"return_presigned_urls": "true"}).json()
    download = surface.get(f"/{NAME}_1_0_0/download").json()

    for url in (detail["presigned_download_url"], download["presigned_url"]):
        assert httpx.get(url).raise_for_status().content == archive
    assert (download["success"], download["size_bytes"]) == (True, len(archive))
    assert download["sha256"] == hashlib.sha256(archive).hexdigest()
    assert datetime.fromisoformat(download["expires_at"]) > datetime.now(UTC)


def test_the_source_is_every_file_as_json_or_one_zip(surface: Surface, make_plugin: MakePlugin) -> None:
    folder = make_plugin(NAME, files={"words.txt": "größer\n"})
    (folder / "table.bin").write_bytes(b"\0\xff\xfe")
    plugin_id = surface.publish(folder)

    source = surface.get(f"/{plugin_id}/source").json()
    zipped = surface.get(f"/{plugin_id}/source", headers={"Accept": "application/zip"})

    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files = {file["path"]: file for file in source["files"]}
    assert (source["success"], source["plugin_id"], source["version"]) == (True, plugin_id, "1.0.0")
    assert set(files) == set(contents)
    for path, content in contents.items():
        assert (files[path]["size_bytes"], files[path]["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        if path != "table.bin":
            assert (files[path]["text"], files[path]["encoding"]) == (content.decode(), "utf-8")
    assert (files["table.bin"]["text"], files["table.bin"]["encoding"]) == (None, None)
    assert zipped.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"{NAME}/{path}": content for path, content in contents.items()
        }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("all", {("text_extractor", "builtin"), (NAME, "custom")}),
        ("builtin", {("text_extractor", "builtin")}),
        ("custom", {(NAME, "custom")}),
        ("community", set()),
    ],
)
def test_extractors_are_listed_by_where_they_come_from(
    surface: Surface, make_plugin: MakePlugin, source: str, expected: set[tuple[str, str]]
) -> None:
    surface.publish(make_plugin(NAME))

    found = surface.http.get(
        f"/namespaces/{surface.namespace_id}/extractors", params={"source": source}
    ).raise_for_status()

    assert {(each["name"], each["source"]) for each in found.json()["extractors"]} == expected


def test_an_extractor_shows_its_schemas_by_either_path(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME))

    one = surface.http.get(f"/namespaces/{surface.namespace_id}/extractors/{plugin_id}").json()
    flat = surface.http.get("/collections/features/extractors", headers={"X-Namespace": surface.namespace_id}).json()

    assert one in flat
    assert (one["feature_extractor_name"], one["version"], one["feature_uri"]) == (NAME, "1.0.0", URI)
    assert (one["deployed"], one["validation_status"], one["position_fields"]) == (False, "passed", [])
    assert one["required_vector_indexes"][0]["index"]["dimensions"] == DIMENSION
    assert "text" in one["input_schema"]["properties"]


@pytest.mark.parametrize(
    "path",
    ["/nope_1_0_0", "/nope_1_0_0/status", "/nope_1_0_0/source", "/nope_1_0_0/download", "/by-name/nope/versions"],
)
def test_what_is_not_there_is_404(surface: Surface, path: str) -> None:
    refusal(surface.get(path), 404, "NotFoundError")


@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "/by-name/a%00b/versions", None),
    ("GET", "/a%00b", None),
    ("POST", "/uploads/a%00b/confirm", {}),
    ("POST", "/uploads", {"name": NAME, "description": "a\0b"}),
    ("POST", "/uploads", {"name": NAME, "description": "\ud800"}),
])  # fmt: skip
def test_text_that_cannot_be_stored_is_refused(
    surface: Surface, method: str, path: str, body: dict[str, Any] | None
) -> None:
    content = None if body is None else json.dumps(body)
    answer = surface.http.request(
        method, surface.plugins + path, content=content, headers={"Content-Type": "application/json"}
    )

    refusal(answer, 422, "ValidationError")


def test_a_page_of_the_list_says_how_many_there_are(surface: Surface, make_plugin: MakePlugin) -> None:
    folder = make_plugin(NAME)
    for _ in range(2):
        surface.publish(folder, version=None)

    page = surface.get(params={"limit": 1, "offset": 1}).json()

    assert ([each["version"] for each in page["plugins"]], page["total"]) == (["1.0.0"], 2)
    refusal(surface.get(params={"offset": 2**40}), 422, "ValidationError")


# Deleting -----------------------------------------------------------------------------------------------------------


def test_a_deleted_versions_number_is_never_given_again(surface: Surface, make_plugin: MakePlugin) -> None:
    folder = make_plugin(NAME)
    surface.publish(folder)
    deleted = surface.publish(folder, version=None)

    answer = surface.delete(f"/{deleted}").json()

    assert (answer["success"], answer["plugin_id"], answer["deployment_removed"]) == (True, f"{NAME}_1_0_1", False)
    assert [plugin["version"] for plugin in surface.get().json()["plugins"]] == ["1.0.0"]
    refusal(surface.get(f"/{deleted}"), 404, "NotFoundError")
    refusal(surface.post("/uploads", json={"name": NAME, "version": "1.0.1"}), 409, "AlreadyExistsError")
    assert surface.open_upload(NAME)["version"] == "1.0.2"


def test_deleting_a_deployed_version_takes_its_deployment_with_it(surface: Surface, make_plugin: MakePlugin) -> None:
    plugin_id = surface.publish(make_plugin(NAME))
    assert surface.deploy(plugin_id)["status"] == "DEPLOYED"

    answer = surface.delete(f"/{plugin_id}").json()

    assert answer["deployment_removed"] is True
    refusal(surface.get(f"/{plugin_id}/status"), 404, "NotFoundError")


def test_a_version_that_a_collection_uses_is_deleted_by_force_only(
    surface: Surface, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin_id = surface.publish(make_plugin(NAME))
    collection = collection_of(client, bucket_with(client, ["one"]), NAME)

    error = refusal(surface.delete(f"/{plugin_id}"), 409, "ConflictError")
    forced = surface.delete(f"/{plugin_id}", params={"force": "true"})

    assert [each["collection_id"] for each in error["details"]["collections"]] == [collection.collection_id]
    assert forced.status_code == 200
    assert surface.get().json()["total"] == 0
