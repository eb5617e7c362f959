"""Requests of an open loop through redeploys, a failing deploy and a killed replica: not one fails.

The short form of `benchmarks/soak.py`, with its generator: each request is sent once, when it is due, and never again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from factories.platform import deployed, publish, unique
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek

OPEN_LOOP = Path(__file__).parents[2] / "benchmarks" / "harness" / "open_loop.py"
RATE = 60


@contextmanager
def requests_each_when_due(server: Server, client: Mixpeek, name: str, record: Path) -> Iterator[list[list[Any]]]:
    """Ask `name` at a constant rate meanwhile; the list is filled at the end: due, seconds, status, version, error."""
    headers = [f"authorization: Bearer {API_KEY}", f"x-namespace: {client.namespace}"]
    line = [sys.executable, OPEN_LOOP, urlsplit(server.url).port, "/v1/inference", RATE, record, *headers]
    asking = subprocess.Popen(list(map(str, line)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    outcomes: list[list[Any]] = []
    with asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        asking.stdin.write(json.dumps({"inference_name": name, "inputs": {"text": "hello"}}).encode())
        asking.stdin.close()
        assert asking.stdout.readline() == b"asking\n"
        try:
            yield outcomes
        finally:
            asking.send_signal(signal.SIGTERM)
            assert asking.wait(60) == 0
        outcomes += map(json.loads, record.read_text().splitlines())


def replicas_of(server: Server, name: str) -> list[psutil.Process]:
    """Return the plugin's own process in each host that answers for it, or still finishes what it has taken."""
    found = []
    for child in psutil.Process(server.child_pid("api") or 0).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a host that ends at this moment
            line = child.cmdline()
            if line and name in line and line[0] not in ("unshare", "bwrap"):
                found.append(child)
    return found


def _replaced(client: Mixpeek, plugin_id: str) -> bool:
    serving = client.plugins.status(plugin_id)["serving"]
    return (serving["replicas"], serving["restarts"], serving["requests_waiting"]) == (1, 1, 0)


def test_no_request_of_a_constant_load_fails_through_redeploys_a_failing_one_and_a_killed_replica(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    name = unique("soaked")
    first = publish(client, make_plugin(name), deploy=True)
    second = publish(client, make_plugin(name, into="second", version="1.1.0"), version="1.1.0")
    broken = make_plugin(name, into="third", version="1.2.0", construct="raise RuntimeError('no weights here')")
    third = publish(client, broken, version="1.2.0")

    with requests_each_when_due(server, client, name, tmp_path / "outcomes") as outcomes:
        redeployed = [deployed(client, plugin_id).status for plugin_id in (second, first, second)]
        failing = deployed(client, third).status
        until(lambda: len(replicas_of(server, name)) == 1, what="the version before has answered all it had taken")
        replicas_of(server, name)[0].kill()
        until(lambda: _replaced(client, second), what="another replica answers")

    assert (redeployed, failing) == (["DEPLOYED"] * 3, "FAILED")
    assert Counter((status, error) for _, _, status, _, error in outcomes) == {(200, ""): len(outcomes)}
    assert {version for *_, version, _ in outcomes} == {"1.0.0", "1.1.0"}
