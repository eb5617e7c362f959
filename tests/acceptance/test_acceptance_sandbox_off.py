"""Servers that cannot isolate plugins, or were told not to: they say so at every start and in `GET /v1/health`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.platform import publish
from factories.plugins import write_plugin
from factories.servers import MakeServer, Server
from mixpeek import Mixpeek
from mixpeek.errors import MixpeekError

REPAIR = "apt-get install -y bubblewrap libseccomp2"


def health_of(server: Server) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{server.url}/v1/health").json()
    return answer


def lines_with(server: Server, words: str) -> int:
    """Count the lines of the server's own start that say this."""
    return sum(line.startswith("mixpeek: ") and words in line for line in server.log.read_text().splitlines())


def use(client: Mixpeek, folder: Path) -> str:
    """Publish and deploy a plugin, ask it once, and return the report of the answer."""
    publish(client, folder, deploy=True)
    answer = client.plugins.realtime_test(f"{folder.name}_1_0_0", {"text": "one two"})
    assert answer["status"] == "success", answer
    return str(answer["response_type"])


def test_plugins_are_refused_where_they_cannot_be_isolated_unless_the_server_is_told_to_run_them(
    make_server: MakeServer, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    missing = "setpriv" if os.geteuid() == 0 else "bwrap"
    if os.geteuid() == 0:
        # A root server needs bwrap for its embedded database, and beside it setpriv for plugins: that one is missing.
        (tools / "bwrap").symlink_to(shutil.which("bwrap") or "/usr/bin/bwrap")
    server = make_server()
    server.start()
    with server.client() as client:
        assert use(client, write_plugin(tmp_path / "published")) == "dict"
        assert health_of(server)["data"]["sandbox"] == "bubblewrap"
        assert lines_with(server, "warning") == 0
        server.stop()

        server.settings["PATH"] = str(tools)
        server.start()
        closed = health_of(server)
        assert lines_with(server, "plugins are NOT run") == 1
        with pytest.raises(MixpeekError) as refused:
            publish(client, write_plugin(tmp_path / "never_run"))
        asked = client.plugins.realtime_test("published_1_0_0", {"text": "one two"})
        client.plugins.deploy("published_1_0_0")
        deployed = client.plugins.wait("published_1_0_0", timeout_s=60, poll_s=0.1)
        server.stop()

        server.settings["MIXPEEK_SANDBOX"] = "off"
        server.start()
        health = health_of(server)
        open_answer = client.plugins.realtime_test("published_1_0_0", {"text": "one two"})

    assert closed["data"]["sandbox"] == "unavailable"
    assert missing in closed["data"]["sandbox_detail"]
    assert any(missing in line and REPAIR in line for line in closed["errors"]), closed
    assert refused.value.code == "platform.sandbox_unavailable"
    assert REPAIR in str(refused.value.hint)
    assert asked["status"] == "error"
    assert asked["error"].startswith("SandboxUnavailable: ")
    assert REPAIR in asked["message"]
    assert deployed["status"] == "FAILED"
    assert "SandboxUnavailable: " in deployed["error"]
    assert health["data"]["sandbox"] == "off"
    assert any("WITHOUT isolation" in line for line in health["errors"])
    assert lines_with(server, "plugins run WITHOUT isolation") == 1
    assert open_answer["status"] == "success"
