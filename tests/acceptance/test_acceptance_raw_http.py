"""The documented raw HTTP flow: upload, PUT, confirm, deploy, poll, realtime/test; nothing but an HTTP client."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.plugins import DIMENSION, MakePlugin, zip_of
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek


def tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return buffer.getvalue()


def files_at_the_root(folder: Path) -> bytes:
    return zip_of(folder, top="")


def upload(http: httpx.Client, plugins: str, archive: bytes, **body: Any) -> dict[str, Any]:
    """Ask for a place and PUT the archive there, without a key; return the place."""
    asked = {"name": "text_embed", "version": "1.0.0", "file_size_bytes": 5000, **body}
    place: dict[str, Any] = http.post(f"{plugins}/uploads", json=asked).raise_for_status().json()
    put = httpx.put(place["presigned_url"], content=archive, headers={"Content-Type": "application/zip"}, timeout=60)
    assert put.status_code == 200
    assert put.headers["ETag"]
    return place


def confirm(http: httpx.Client, plugins: str, place: dict[str, Any], **body: Any) -> httpx.Response:
    return http.post(f"{plugins}/uploads/{place['upload_id']}/confirm", json=body)


@pytest.fixture
def plugins(client: Mixpeek) -> str:
    """The path of the plugins surface in this test's namespace."""
    return f"/namespaces/{client.namespace}/plugins"


def test_a_zip_goes_from_upload_to_realtime_answers(http: httpx.Client, plugins: str, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin("text_embed"))

    place = upload(http, plugins, archive)
    confirmed = confirm(http, plugins, place, message="initial release").raise_for_status().json()
    queued = http.post(f"{plugins}/text_embed_1_0_0/deploy", headers={"Content-Type": "application/json"})
    seen = []

    def status() -> dict[str, Any] | None:
        answer = http.get(f"{plugins}/text_embed_1_0_0/status").json()
        seen.append(answer["status"])
        return answer if answer["status"] in ("DEPLOYED", "FAILED") else None

    ended = until(status, what="the rollout has ended", within_s=60)
    tested = http.post(f"{plugins}/text_embed_1_0_0/realtime/test", json={"inputs": {"text": "hello"}})

    assert place["version"] == "1.0.0"
    assert (confirmed["success"], confirmed["plugin_id"], confirmed["validation_errors"]) == (
        True,
        "text_embed_1_0_0",
        [],
    )
    assert queued.status_code == 200
    assert ended["status"] == "DEPLOYED", ended
    assert set(seen) <= {"QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED"}
    assert tested.status_code == 200
    assert tested.json()["status"] == "success"
    assert len(tested.json()["raw_response"]["embedding"]) == DIMENSION


@pytest.mark.parametrize("pack", [zip_of, tar_of, files_at_the_root])
def test_an_archive_publishes_whatever_its_format_and_layout(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin, pack: Callable[[Path], bytes]
) -> None:
    archive = pack(make_plugin("text_embed"))

    confirmed = confirm(http, plugins, upload(http, plugins, archive))

    assert confirmed.status_code == 200, confirmed.text
    assert confirmed.json()["plugin_id"] == "text_embed_1_0_0"


def test_zip_and_tar_gz_of_the_same_files_have_one_code_hash(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin
) -> None:
    folder = make_plugin("text_embed")

    zipped = confirm(http, plugins, upload(http, plugins, zip_of(folder), version=None)).json()
    tarred = confirm(http, plugins, upload(http, plugins, tar_of(folder), version=None)).json()

    assert (zipped["version"], tarred["version"]) == ("1.0.0", "1.0.1")
    assert zipped["code_hash"] == tarred["code_hash"]


def test_a_second_confirm_answers_as_the_first_did(http: httpx.Client, plugins: str, make_plugin: MakePlugin) -> None:
    place = upload(http, plugins, zip_of(make_plugin("text_embed")))

    first = confirm(http, plugins, place, message="initial release")
    second = confirm(http, plugins, place)

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()


def test_a_published_version_cannot_be_uploaded_again(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin("text_embed"))
    late = upload(http, plugins, archive)
    confirm(http, plugins, upload(http, plugins, archive)).raise_for_status()

    asked_again = http.post(f"{plugins}/uploads", json={"name": "text_embed", "version": "1.0.0"})
    confirmed_late = confirm(http, plugins, late)

    for refused in (asked_again, confirmed_late):
        assert refused.status_code == 409
        assert refused.json()["error"]["type"] == "AlreadyExistsError"
    assert http.get(plugins).json()["total"] == 1


def test_a_version_left_out_is_the_next_patch(http: httpx.Client, plugins: str, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin("text_embed", version="2.4.0"))
    confirm(http, plugins, upload(http, plugins, archive, version="2.4.0")).raise_for_status()

    bumped = confirm(http, plugins, upload(http, plugins, archive, version=None))

    assert bumped.json()["plugin_id"] == "text_embed_2_4_1"
    stored = http.get(f"{plugins}/text_embed_2_4_1").json()["plugin"]
    assert stored["manifest"]["version"] == "2.4.1"


def test_a_version_other_than_the_manifests_is_refused(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin
) -> None:
    archive = zip_of(make_plugin("text_embed", version="1.0.0"))

    refused = confirm(http, plugins, upload(http, plugins, archive, version="9.9.9"))

    assert refused.status_code == 400
    assert "9.9.9" in refused.text
    assert http.get(plugins).json()["total"] == 0


def test_confirming_before_the_put_is_404_and_can_be_repeated_after_it(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin
) -> None:
    asked = http.post(f"{plugins}/uploads", json={"name": "text_embed", "version": "1.0.0", "file_size_bytes": 5000})
    place = asked.json()

    early = confirm(http, plugins, place)
    httpx.put(place["presigned_url"], content=zip_of(make_plugin("text_embed"))).raise_for_status()
    later = confirm(http, plugins, place)

    assert early.status_code == 404
    assert "presigned_url" in early.json()["error"]["hint"]
    assert later.status_code == 200


def test_a_transfer_that_was_cut_short_is_noticed(http: httpx.Client, plugins: str, make_plugin: MakePlugin) -> None:
    archive = zip_of(make_plugin("text_embed"))
    place = upload(http, plugins, archive)

    wrong_size = confirm(http, plugins, place, file_size_bytes=len(archive) + 1)
    wrong_etag = confirm(http, plugins, place, etag="0" * 64)

    assert wrong_size.status_code == wrong_etag.status_code == 400
    assert wrong_size.json()["error"]["code"] == "registry.upload_mismatch"


def test_a_signed_url_works_for_its_own_method_and_unaltered_only(
    http: httpx.Client, plugins: str, server: Server
) -> None:
    place = http.post(f"{plugins}/uploads", json={"name": "text_embed"}).json()
    url = place["presigned_url"]

    fetched = httpx.get(url)
    altered = httpx.put(url[:-4] + ("AAAA" if not url.endswith("AAAA") else "BBBB"), content=b"x")
    nonsense = httpx.put(f"{server.url}/v1/blobs/nonsense", content=b"x")

    for refused in (fetched, altered, nonsense):
        assert refused.status_code == 403
        assert refused.json()["error"]["type"] == "ForbiddenError"


def test_deploying_for_batches_only_ends_at_once_without_an_endpoint(
    http: httpx.Client, plugins: str, make_plugin: MakePlugin
) -> None:
    confirm(http, plugins, upload(http, plugins, zip_of(make_plugin("text_embed")))).raise_for_status()

    deployed = http.post(f"{plugins}/text_embed_1_0_0/deploy", params={"deployment_type": "batch_only"})
    status = http.get(f"{plugins}/text_embed_1_0_0/status").json()

    assert deployed.json()["deployment_type"] == "batch_only"
    assert status["status"] == "NOT_DEPLOYED"
    assert status["realtime_enabled"] is False
    assert "batches" in status["message"]
