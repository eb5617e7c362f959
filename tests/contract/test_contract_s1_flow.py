"""The raw HTTP flow, kept byte for byte as it is printed, run by bash with curl and jq against a real server."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from factories.plugins import DIMENSION, MakePlugin
from factories.servers import API_KEY, Server, surroundings
from factories.surface import Surface
from factories.waiting import until
from mixpeek import Mixpeek

FLOW = Path(__file__).with_name("s1_flow.sh")
DOCUMENTED = "377f1b5f0304db2117c7278df887f180b6a5de3e46e35329caef0ee6b32be43f"
PROGRAMS = ("bash", "curl", "jq", "zip")
# The printed values that are for the reader to fill in; nothing else of the text is touched.
NAMESPACE, HOST = "ns_...", "https://<your-dedicated-host>/v1"
POLL = "# 5. Poll deployment status until DEPLOYED\n"


def run(script: str, cwd: Path) -> list[Any]:
    """Run `script` as an author does, and return every JSON document it printed."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    assert not missing, f"run: apt-get install --no-install-recommends {' '.join(missing)}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env=surroundings(MIXPEEK_API_KEY=API_KEY),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    printed, decoder, rest = [], json.JSONDecoder(), done.stdout.strip()
    while rest:
        found, end = decoder.raw_decode(rest)
        printed.append(found)
        rest = rest[end:].strip()
    return printed


def filled_in(server: Server, namespace_id: str) -> str:
    text = FLOW.read_text()
    assert (text.count(NAMESPACE), text.count(HOST)) == (1, 1)
    return text.replace(NAMESPACE, namespace_id).replace(HOST, f"{server.url}/v1")


@pytest.fixture
def zipped(make_plugin: MakePlugin, tmp_path: Path) -> Path:
    """A folder that holds `text_embed.zip`, zipped as an author zips it."""
    folder = make_plugin("text_embed")
    subprocess.run(["zip", "-qr", tmp_path / "text_embed.zip", folder.name], cwd=folder.parent, check=True)
    return tmp_path


def test_the_flow_is_the_documented_text_byte_for_byte() -> None:
    assert hashlib.sha256(FLOW.read_bytes()).hexdigest() == DOCUMENTED


def test_the_flow_as_printed_ends_deployed(server: Server, client: Mixpeek, surface: Surface, zipped: Path) -> None:
    flow = filled_in(server, client.namespace or "")
    setting, _ = flow.split("# 1.", 1)
    _, poll = flow.split(POLL, 1)

    confirmed, queued, first_status = run(flow, zipped)
    last_status = until(
        lambda: next((seen for seen in run(setting + poll, zipped) if seen["status"] in {"DEPLOYED", "FAILED"}), None),
        what="the polled status is final",
        within_s=60,
    )

    assert (confirmed["success"], confirmed["plugin_id"], confirmed["validation_errors"]) == (
        True,
        "text_embed_1_0_0",
        [],
    )
    assert queued["status"] == "queued"
    assert first_status["status"] in {"QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED"}
    assert last_status["status"] == "DEPLOYED", last_status
    assert last_status["feature_uri"] == "mixpeek://text_embed@1.0.0/words_vector"
    history = surface.get("/by-name/text_embed/versions").json()
    assert [version["message"] for version in history["versions"]] == ["initial release"]
    tested = surface.post("/text_embed_1_0_0/realtime/test", json={"inputs": {"text": "hello"}}).json()
    assert len(tested["raw_response"]["embedding"]) == DIMENSION
