"""SIGTERM: what is under way is answered, nothing new is taken, the log says what happened as JSON if asked."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.commands import run_command
from factories.platform import publish
from factories.plugins import write_plugin
from factories.servers import MakeServer, Server
from factories.waiting import until
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.schema import head

SLOW = """
import time

if request["text"] == "slow":
    time.sleep(3)
return {"embedding": embed(request["text"], 8).tolist()}
"""


@pytest.fixture
def json_server(make_server: MakeServer) -> Server:
    return make_server(log_format="json", metrics="open").start()


def test_sigterm_lets_requests_under_way_be_answered_and_takes_no_new_ones(json_server: Server, tmp_path: Path) -> None:
    answers: list[Any] = []
    with json_server.client() as client:
        publish(client, write_plugin(tmp_path / "slow_words", predict=SLOW), deploy=True)
        asking = threading.Thread(target=lambda: answers.append(client.inference.ask("slow_words", {"text": "slow"})))
        asking.start()
        until(
            lambda: (
                "mixpeek_plugin_requests_in_flight{" in (text := metrics(json_server))
                and any(
                    line.startswith("mixpeek_plugin_requests_in_flight{") and line.endswith(" 1.0")
                    for line in text.splitlines()
                )
            ),
            what="the request is with the plugin",
        )

        json_server.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        until(lambda: is_refused(json_server), what="new connections are refused")
        answered_before_refusing = bool(answers)
        asking.join(30)
        code = json_server.process.wait(30)  # type: ignore[union-attr]

    assert not answered_before_refusing
    assert len(answers[0]["output"]["embedding"]) == 8
    assert code == 0
    assert json_server.postmaster_pid() is None
    lines = [json.loads(line) for line in json_server.log.read_text().splitlines()]
    assert {"time", "level", "process", "logger", "request_id", "message"} <= set(lines[0])
    assert "supervisor" in {line["process"] for line in lines}


def metrics(server: Server) -> str:
    return httpx.get(f"{server.url}/metrics", timeout=10, verify=False).text


def is_refused(server: Server) -> bool:
    try:
        httpx.get(f"{server.url}/v1/health/liveness", timeout=5, verify=False)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False
    return False


def test_a_server_told_so_waits_for_the_command_that_migrates(
    database: EmbeddedPostgres, make_server: MakeServer, tmp_path: Path
) -> None:
    named = {"MIXPEEK_DATABASE_URL": database.url}
    own = make_server(database_url=database.url, migrate="command")
    before = run_command("migrate", "--check", "--json", cwd=tmp_path, **named)
    part = run_command("migrate", "--to", "0002", cwd=tmp_path, **named)
    starting = threading.Thread(target=own.start)
    starting.start()

    done = run_command("migrate", cwd=tmp_path, **named)
    starting.join(90)
    after = run_command("migrate", "--check", "--json", cwd=tmp_path, **named)

    assert before.code == 1
    assert before.json["current"] is None
    assert part.out.startswith("at 0002; to do: 0003")
    assert done.out.strip() == f"at {head()}, before 0002"
    assert own.is_healthy()
    assert (after.code, after.json["pending"], after.json["oldest_program"]) == (0, [], "0045")


def test_migrating_needs_a_database_that_is_named(tmp_path: Path) -> None:
    done = run_command("migrate", cwd=tmp_path)

    assert done.code == 1
    assert "MIXPEEK_DATABASE_URL is not set" in done.err
