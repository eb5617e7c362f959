"""Plugins that confirm refuses: every finding with its rule, file and line, and nothing is published."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.platform import publish
from factories.plugins import MakePlugin, zip_of
from mixpeek import Mixpeek

Finding = dict[str, Any]


def refused(http: httpx.Client, client: Mixpeek, archive: bytes) -> list[Finding]:
    """Upload and confirm an archive that must be refused; return its findings."""
    plugins = f"/namespaces/{client.namespace}/plugins"
    place = http.post(f"{plugins}/uploads", json={"name": "text_embed", "version": "1.0.0"}).json()
    httpx.put(place["presigned_url"], content=archive).raise_for_status()
    answer = http.post(f"{plugins}/uploads/{place['upload_id']}/confirm", json={})
    error = refusal(answer, 400, "BadRequestError")
    body = answer.json()
    findings: list[Finding] = body["validation_errors"]
    assert (body["upload_id"], body["validation_status"]) == (place["upload_id"], "failed")
    assert error["details"]["validation_errors"] == findings
    assert http.get(plugins).json()["total"] == 0, "nothing may be published"
    return findings


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_without_a_manifest_the_file_to_add_is_named(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    folder = make_plugin("text_embed", files={"manifest.py": None})

    findings = refused(http, client, zip_of(folder))

    assert any(f["path"] == "manifest.py" and f["severity"] == "error" for f in findings), findings


def test_wrong_feature_keys_are_all_named_with_line_and_right_key(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    wrong = {"type": "embedding", "name": "words_vector", "dimensions": 8, "distance": "cosine"}
    right = {
        "type": "feature_type",
        "name": "feature_name",
        "dimensions": "embedding_dim",
        "distance": "distance_metric",
    }
    folder = make_plugin("text_embed", features=[wrong])

    findings = refused(http, client, zip_of(folder))

    line = line_of((folder / "manifest.py").read_text(), "features = ")
    for key, meant in right.items():
        [found] = [f for f in findings if f["message"].startswith(f"`features[0].{key}`")]
        assert f"did you mean `{meant}`?" in found["message"]
        assert (found["rule"], found["path"], found["line"]) == ("manifest.unknown_key", "manifest.py", line)
        assert found["hint"] == f"Rename it to `{meant}`"


def test_a_plugin_that_raises_at_import_is_refused_with_its_own_line(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    folder = make_plugin("text_embed", files={"processors/core.py": "x = 1\nraise RuntimeError('not today')\n"})

    findings = refused(http, client, zip_of(folder))

    [found] = [f for f in findings if "not today" in f["message"]]
    assert (found["path"], found["line"], found["severity"]) == ("processors/core.py", 2, "error")


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import subprocess", "security.subprocess"),
        ("from os import system", "security.os_system"),
        ("import socket as wires", "security.socket"),
        ("import ctypes", "security.ctypes"),
        ("value = eval('1')", "security.eval"),
        ("exec('x = 1')", "security.exec"),
        ("json = __import__('json')", "security.dunder_import"),
    ],
)
def test_a_forbidden_construct_is_refused_with_rule_file_and_line(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin, code: str, rule: str
) -> None:
    folder = make_plugin("text_embed", files={"helpers.py": f"x = 1\n\n{code}\n"})

    findings = refused(http, client, zip_of(folder))

    assert (rule, "helpers.py", 3) in [(f["rule"], f["path"], f["line"]) for f in findings]


def test_every_finding_is_reported_at_once(http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin) -> None:
    folder = make_plugin(
        "text_embed", files={"a.py": "import socket\n", "b.py": "import ctypes\n", "pipeline.py": None}
    )

    findings = refused(http, client, zip_of(folder))

    assert {"a.py", "b.py", "pipeline.py"} <= {f["path"] for f in findings}


@pytest.mark.parametrize(
    ("parts", "path", "words"),
    [
        ({"files": {"pipeline.py": "def build_steps(request):\n    raise ValueError('no')\n"}}, "pipeline.py", "no"),
        ({"files": {"pipeline.py": "import numpy\n"}}, "pipeline.py", "build_steps"),
        ({"files": {"realtime.py": "class Nothing:\n    pass\n"}}, "realtime.py", "predict"),
        ({"files": {"manifest.py": "metadata = {\n"}}, "manifest.py", ""),
        ({"dimension": 70_000}, "manifest.py", "embedding_dim"),
    ],
    ids=["build_steps raises", "no build_steps", "no handler", "syntax error", "too many numbers"],
)
def test_a_plugin_that_cannot_work_is_refused_naming_the_file(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin, parts: dict[str, Any], path: str, words: str
) -> None:
    findings = refused(http, client, zip_of(make_plugin("text_embed", **parts)))

    errors = [f for f in findings if f["severity"] == "error"]
    assert any(f["path"] == path and words in f["message"] + str(f["hint"]) for f in errors), findings


def zip_with(path: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("text_embed/manifest.py", "x = 1\n")
        archive.writestr(path, "x = 1\n")
    return buffer.getvalue()


def tar_with_a_link() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("text_embed/manifest.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        zip_with("../outside.py"),
        zip_with("/etc/cron.d/job"),
        zip_with("text_embed/MANIFEST.py"),
        tar_with_a_link(),
        b"no archive at all",
        b"",
    ],
    ids=["escaping path", "absolute path", "names differing in case", "symbolic link", "not an archive", "empty"],
)
def test_an_unsafe_archive_is_refused(http: httpx.Client, client: Mixpeek, archive: bytes) -> None:
    findings = refused(http, client, archive)

    assert all(f["rule"].startswith("archive.") and f["severity"] == "error" for f in findings), findings


def test_after_a_refusal_the_repaired_archive_publishes_under_the_same_version(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    refused(http, client, zip_of(make_plugin("text_embed", into="bad", files={"a.py": "import socket\n"})))

    assert publish(client, make_plugin("text_embed", into="good")) == "text_embed_1_0_0"
