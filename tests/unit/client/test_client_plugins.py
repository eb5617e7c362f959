"""Publishing through the client: three requests, of which the middle one goes to a presigned address."""

from __future__ import annotations

import hashlib
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer, refusal
from mixpeek import Mixpeek
from mixpeek.client import ApiError, WaitTimedOut
from mixpeek.errors import InvalidRequest
from mixpeek.inspection.pack import pack_directory

UPLOADS = "/v1/namespaces/ns_1/plugins/uploads"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugin = tmp_path / "my_extractor"
    plugin.mkdir()
    (plugin / "manifest.py").write_text("metadata = {}\n")
    return plugin


@pytest.fixture
def accepting(server: LocalServer) -> LocalServer:
    server.on(
        f"POST {UPLOADS}", {"upload_id": "up_1", "presigned_url": f"{server.url}/put/1?sig=x", "version": "1.0.1"}
    )
    server.on("PUT /put/1", Answer(b"", headers={"ETag": '"abc"'}))
    server.on(f"POST {UPLOADS}/up_1/confirm", {"success": True, "plugin_id": "my_extractor_1_0_1"})
    return server


def test_a_folder_is_packed_sent_and_confirmed(accepting: LocalServer, client: Mixpeek, folder: Path) -> None:
    sent: list[int] = []

    answer = client.plugins.upload(folder, version="1.0.1", message="first", on_progress=sent.append)

    place, put, confirm = accepting.asked
    assert place.json == {"name": "my_extractor", "version": "1.0.1", "file_size_bytes": len(put.content)}
    assert put.query == {"sig": "x"}
    assert put.content.startswith(b"\x1f\x8b")
    assert (put.headers["content-type"], put.headers["content-length"]) == ("application/gzip", str(len(put.content)))
    assert confirm.json == {"message": "first", "etag": "abc", "file_size_bytes": len(put.content)}
    assert sent == [len(put.content)]
    assert (answer.plugin_id, answer.version) == ("my_extractor_1_0_1", "1.0.1")


def test_the_presigned_address_gets_no_key(accepting: LocalServer, client: Mixpeek, folder: Path) -> None:
    client.plugins.upload(folder)

    assert "authorization" not in accepting.asked[1].headers
    assert "x-namespace" not in accepting.asked[1].headers


def test_without_a_version_the_server_chooses(accepting: LocalServer, client: Mixpeek, folder: Path) -> None:
    assert client.plugins.upload(folder).version == "1.0.1"
    assert "version" not in accepting.asked[0].json


def test_a_zip_is_sent_as_it_is(accepting: LocalServer, client: Mixpeek, tmp_path: Path) -> None:
    archive = tmp_path / "my_extractor.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("my_extractor/manifest.py", "metadata = {}\n")

    client.plugins.upload(archive)

    assert accepting.asked[0].json["name"] == "my_extractor"
    assert accepting.asked[1].content == archive.read_bytes()
    assert accepting.asked[1].headers["content-type"] == "application/zip"


def test_a_large_archive_reports_its_progress_in_parts(accepting: LocalServer, client: Mixpeek) -> None:
    sent: list[int] = []
    content = b"\x1f\x8b" + bytes(600_000)

    client.plugins.upload(content, name="my_extractor", on_progress=sent.append)

    assert len(sent) == 3
    assert sent == sorted(sent)
    assert sent[-1] == len(content) == len(accepting.asked[1].content)


def test_a_direct_upload_is_one_form_with_the_archive_and_its_fields(
    server: LocalServer, client: Mixpeek, folder: Path
) -> None:
    server.on("POST /v1/namespaces/ns_1/plugins", {"success": True, "plugin_id": "my_extractor_1_0_0"})

    answer = client.plugins.upload_direct(folder, version="1.0.0", description="d")

    (asked,) = server.asked
    form = message_from_bytes(b"Content-Type: " + asked.headers["content-type"].encode() + b"\r\n\r\n" + asked.content)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.walk()}
    texts = {name: parts[name].get_payload() for name in ("name", "version", "description")}
    assert answer.plugin_id == "my_extractor_1_0_0"
    assert texts == {"name": "my_extractor", "version": "1.0.0", "description": "d"}
    assert parts["file"].get_filename() == "my_extractor.tar.gz"
    assert parts["file"].get_payload(decode=True) == pack_directory(folder)
    assert asked.headers["authorization"] == "Bearer sk_test"


def test_the_source_can_be_had_as_a_zip(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/namespaces/ns_1/plugins/p_1_0_0/source", Answer(b"PK-bytes"))

    assert client.plugins.source_archive("p_1_0_0") == b"PK-bytes"
    assert server.asked[0].headers["accept"] == "application/zip"


@pytest.mark.parametrize("arrives", [b"archive", b"something else"])
def test_a_downloaded_archive_is_the_one_that_was_uploaded_or_an_error(
    server: LocalServer, client: Mixpeek, arrives: bytes
) -> None:
    place = {"presigned_url": f"{server.url}/blob?sig=x", "sha256": hashlib.sha256(b"archive").hexdigest()}
    server.on("GET /v1/namespaces/ns_1/plugins/p_1_0_0/download", place)
    server.on("GET /blob", Answer(arrives))

    if arrives == b"archive":
        assert client.plugins.download_archive("p_1_0_0") == b"archive"
    else:
        with pytest.raises(ApiError, match="did not arrive"):
            client.plugins.download_archive("p_1_0_0")

    assert "authorization" not in server.asked[1].headers


def test_bytes_need_a_name(client: Mixpeek) -> None:
    with pytest.raises(InvalidRequest, match="no name"):
        client.plugins.upload(b"PK")


def test_a_missing_archive_is_named(client: Mixpeek, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="nothing_here"):
        client.plugins.upload(tmp_path / "nothing_here.zip")


def test_a_refused_plugin_brings_its_findings(accepting: LocalServer, client: Mixpeek, folder: Path) -> None:
    finding = {"rule": "security.eval", "file": "pipeline.py", "line": 3, "message": "eval"}
    accepting.on(
        f"POST {UPLOADS}/up_1/confirm", refusal(400, "BadRequestError", "Refused", validation_errors=[finding])
    )

    with pytest.raises(ApiError) as caught:
        client.plugins.upload(folder)

    assert caught.value.validation_errors == [finding]


def test_without_a_namespace_plugin_calls_say_what_to_set(server: LocalServer) -> None:
    with Mixpeek(base_url=server.url) as client, pytest.raises(InvalidRequest) as caught:
        client.plugins.list()

    assert "MIXPEEK_NAMESPACE" in (caught.value.hint or "")
    assert server.asked == []


def test_waiting_for_a_deployment_reports_every_status(server: LocalServer, client: Mixpeek) -> None:
    states = [{"status": state} for state in ("QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED")]
    server.on("GET /v1/namespaces/ns_1/plugins/p_1_0_0/status", *states)
    seen: list[Any] = []

    final = client.plugins.wait("p_1_0_0", lambda status: seen.append(status.status), poll_s=0)

    assert final.status == "DEPLOYED"
    assert seen == ["QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED"]


@pytest.mark.parametrize("state", ["COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"])
def test_waiting_for_a_task_ends_with_every_final_status(server: LocalServer, client: Mixpeek, state: str) -> None:
    server.on("GET /v1/tasks/task_1", {"status": "IN_PROGRESS"}, {"status": state})

    assert client.tasks.wait("task_1", poll_s=0).status == state


def test_waiting_ends_when_the_time_is_up(server: LocalServer, client: Mixpeek) -> None:
    server.on("GET /v1/tasks/task_1", {"status": "IN_PROGRESS"})

    with pytest.raises(WaitTimedOut, match="IN_PROGRESS"):
        client.tasks.wait("task_1", timeout_s=0)
