"""What hostile plugins try on a running server: the effect does not happen, its error has a name, the server goes on.

The attempts are in `tests/samples/effects`. During all of it a thread asks `GET /v1/health` and keeps the time.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.platform import bucket_with, collection_of, deployed, publish, run_batch
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.errors import MixpeekError

EFFECTS = Path(__file__).parents[1] / "samples" / "effects"
NAMES = sorted(path.stem for path in EFFECTS.glob("*.py"))
MOST_S = 1.0

# The scan would refuse most of what the attempts import; it warns of a computed name, and the sandbox is what holds.
REACH = '''
import importlib


def module(name):
    return importlib.import_module(name)


def frame(head, body=b""):
    return len(head).to_bytes(4, "little") + len(body).to_bytes(4, "little") + head + body


def socket_number():
    os, stat = module("os"), module("stat")
    is_socket = lambda n: os.path.exists(f"/proc/self/fd/{n}") and stat.S_ISSOCK(os.fstat(n).st_mode)
    return next(number for number in range(3, 512) if is_socket(number))


def send(data):
    module("os").write(socket_number(), data)


def request_id():
    """Return the number of the request under way, from the host's own variables."""
    frame = module("sys")._getframe()
    while not hasattr(frame.f_locals.get("asked"), "identifier"):
        frame = frame.f_back
    return frame.f_locals["asked"].identifier
'''
REALTIME = """
import importlib


class RealtimeHandler:
    def predict(self, inputs):
        if "act" not in inputs:
            return {"embedding": [1.0] * 8}
        act = importlib.import_module(f"hostile.effects.{inputs['act']}").act
        return {"embedding": [1.0] * 8, "report": act(inputs["where"])}
"""


LIES = """
class Hostile:
    def __arrow_array__(self, type=None):
        raise SystemExit

    def __array__(self, *arguments, **options):
        raise KeyboardInterrupt

    def __reduce__(self):
        return print, ("exploded",)


def lie(batch, what, vectors, place):
    if what == "lie_not_a_number":
        vectors[place] = [float("nan")] * 8
    elif what == "lie_about_ids":
        batch["document_id"] = "forged"
    elif what == "lie_about_rows":
        return batch.iloc[:0].copy()
    elif what == "lie_with_objects":
        batch["extra"] = [Hostile() for _ in range(len(batch))]
    return batch
"""


@dataclass
class Pulse:
    """A thread that asks the server how it is, thirty times a second, and keeps when and how fast it answered."""

    url: str
    beats: list[tuple[float, float, int]] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def beat_until_stopped(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as http:
            while not self._ending.wait(0.03):
                asked = time.monotonic()
                status = http.get("/v1/health").status_code
                self.beats.append((asked, time.monotonic() - asked, status))

    def stop(self) -> None:
        self._ending.set()

    def slowest(self) -> float:
        """Return the longest that any answer so far took, in seconds."""
        return max(took for _, took, _ in list(self.beats))

    def check_since(self, since: float) -> None:
        """Assert that every question asked after `since` was answered well and in time, one of them just now."""
        now = time.monotonic()
        until(lambda: self.beats and self.beats[-1][0] > now, what="the server tells how it is")
        beats = [beat for beat in list(self.beats) if beat[0] >= since]
        assert all(status == 200 for _, _, status in beats), beats
        slowest = max(took for _, took, _ in beats)
        assert slowest < MOST_S, f"GET /v1/health took {slowest:.2f} s"


@pytest.fixture(scope="module")
def pulse(server: Server) -> Iterator[Pulse]:
    beating = Pulse(server.url)
    thread = threading.Thread(target=beating.beat_until_stopped)
    thread.start()
    yield beating
    beating.stop()
    thread.join()


@pytest.fixture(scope="module", autouse=True)
def server_lives(server: Server) -> Iterator[None]:
    """The processes of the server are the same before and after everything here."""
    before = [server.child_pid("api"), server.child_pid("worker"), server.postmaster_pid()]
    yield
    assert [server.child_pid("api"), server.child_pid("worker"), server.postmaster_pid()] == before


@pytest.fixture(scope="module")
def good(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client of another namespace, where a harmless plugin is deployed."""
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("good") / "harmless"), deploy=True)
        yield client


@pytest.fixture(scope="module")
def hostile(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client in whose namespace the plugin `hostile` is deployed, with every attempt in it."""
    folder = write_plugin(
        tmp_path_factory.mktemp("hostile") / "hostile",
        manifest="""
            compute_profile = {"actor_memory_gb": 0.5, "timeout_s": 5.0}
            serve_config = {"timeout_s": 3.0}
        """,
        batch="""
            import importlib

            vectors = column_of(batch['data'])
            for place, text in enumerate(batch['data']):
                if text.startswith("lie_"):
                    batch = importlib.import_module("hostile.lies").lie(batch, text, vectors, place)
                elif not text.startswith("harmless"):
                    importlib.import_module(f"hostile.effects.{text}").act({})
            batch[FEATURE] = vectors[:len(batch)]
        """,
        files={
            "reach.py": REACH,
            "lies.py": LIES,
            "realtime.py": REALTIME,
            **{f"effects/{name}.py": (EFFECTS / f"{name}.py").read_text() for name in NAMES},
        },
    )
    with server.client() as client:
        publish(client, folder, deploy=True)
        yield client


LOOP = "while True:\n    pass\n"
NEVER_READY: dict[str, dict[str, Any]] = {
    "import": {"files": {"manifest.py": LOOP}},
    "build": {"files": {"pipeline.py": "def build_steps(request):\n    while True:\n        pass\n"}},
}


@pytest.fixture(scope="module", autouse=True)
def looping(server: Server, hostile: Mixpeek, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[str]]]:
    """Plugins whose import and whose build never end, being confirmed while the other tests run."""
    folder = tmp_path_factory.mktemp("looping")

    def confirm(name: str) -> str:
        with server.client() as client, pytest.raises(MixpeekError) as refused:
            client.plugins.upload(write_plugin(folder / f"loops_in_{name}", **NEVER_READY[name]), version="1.0.0")
        return str(refused.value.details["validation_errors"])

    with ThreadPoolExecutor() as pool:
        yield [pool.submit(confirm, name) for name in NEVER_READY]


@dataclass
class Aims:
    """Things outside a sandbox that attempts aim at, and whether one was hit."""

    where: dict[str, Any]
    listener: socket.socket
    victim: subprocess.Popen[bytes]
    canary: Path

    def assert_unharmed(self) -> None:
        assert self.victim.poll() is None, "a process of the machine was ended"
        assert self.canary.read_text() == "as it was"
        with pytest.raises(BlockingIOError):
            self.listener.accept()


@pytest.fixture(scope="module")
def aims(server: Server, good: Mixpeek) -> Iterator[Aims]:
    code_hash = good.plugins.get("harmless_1_0_0").plugin.code_hash
    canary = server.data_dir / "canary"
    canary.write_text("as it was")
    victim = subprocess.Popen(["sleep", "600"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        where = {
            "data_dir": str(server.data_dir),
            "other_version": str(server.data_dir / "unpacked" / code_hash / "manifest.py"),
            "database": str(server.data_dir / "run" / ".s.PGSQL.5432"),
            "server_pid": server.pid,
            "port": listener.getsockname()[1],
            "pids": [victim.pid, os.getpid(), server.pid, server.child_pid("api"), server.child_pid("worker")],
        }
        assert Path(where["other_version"]).exists()
        assert Path(where["database"]).exists()
        yield Aims(where, listener, victim, canary)
    victim.kill()
    victim.wait()


def expected_of(name: str) -> tuple[str, str]:
    """Return how an attempt must end: "error" and what the error begins with, or "answer" and its JSON."""
    first = (EFFECTS / f"{name}.py").read_text().splitlines()[0]
    kind, _, rest = first.removeprefix("# expect: ").partition(" ")
    assert kind in ("error", "answer"), first
    return kind, rest


def begun(hostile: Mixpeek, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a request that a host took; None where it waited for one after another that ended."""
    answer = hostile.plugins.realtime_test("hostile_1_0_0", inputs)
    return None if str(answer.get("error")).startswith("InferenceUnavailable: ") else answer


@pytest.mark.parametrize("name", NAMES)
def test_an_attempt_ends_as_foretold_and_harms_nothing(
    name: str, hostile: Mixpeek, good: Mixpeek, aims: Aims, pulse: Pulse
) -> None:
    kind, expected = expected_of(name)
    what = "a host of the plugin takes a request after the attempt before"
    until(lambda: begun(hostile, {"text": "ready"}), what=what)
    since = time.monotonic()

    answer = until(lambda: begun(hostile, {"act": name, "where": aims.where}), what=what)

    if kind == "error":
        assert answer["status"] == "error", answer
        assert re.match(expected, answer["error"], re.DOTALL), answer["error"][:500]
        assert len(answer["error"]) < 10_000
    else:
        assert answer["status"] == "success", answer
        reply = answer["raw_response"]
        assert (reply["report"] if isinstance(reply, dict) else reply) == json.loads(expected)
    aims.assert_unharmed()
    assert good.plugins.realtime_test("harmless_1_0_0", {"text": "still there"})["status"] == "success"
    pulse.check_since(since)


def test_rows_that_end_their_host_carry_the_name_of_how_and_the_others_are_stored(
    hostile: Mixpeek, pulse: Pulse
) -> None:
    since = time.monotonic()
    wanted = {
        "lie_not_a_number": "not_finite",
        "lie_about_ids": "reply_invalid",
        "lie_about_rows": "reply_invalid",
        "lie_with_objects": "reply_invalid",
        "allocate_at_once": "out_of_memory",
        "one_huge_file": "scratch_full",
        "segfault": "crashed",
        "endless_loop": "timed_out",
    }
    texts = ["harmless", *wanted, "harmless too"]
    collection = collection_of(hostile, bucket_with(hostile, texts), "hostile")

    task = run_batch(hostile, collection, within_s=240)  # a host is started anew for most rows

    assert task.status == "COMPLETED_WITH_ERRORS", task
    outputs = task["outputs"][0]
    assert outputs["causes"] == Counter(wanted.values())
    assert outputs["written"] == 2
    pulse.check_since(since)


def test_a_plugin_that_loops_while_it_is_read_is_refused_by_name(looping: list[Future[str]], pulse: Pulse) -> None:
    refusals = [refusal.result() for refusal in looping]

    assert all("PluginTimedOut: " in refusal for refusal in refusals), refusals
    assert pulse.slowest() < MOST_S


def test_a_handler_that_ends_its_process_fails_the_deployment_by_name(
    server: Server, tmp_path: Path, pulse: Pulse
) -> None:
    since = time.monotonic()
    folder = write_plugin(
        tmp_path / "ends",
        construct="from .reach import module\nmodule('os')._exit(7)",
        files={"reach.py": REACH},
    )
    with server.client() as client:
        plugin_id = publish(client, folder)
        status = deployed(client, plugin_id)

    assert status["status"] == "FAILED"
    assert "PluginCrashed: The plugin's host ended with status 7" in status["error"], status
    pulse.check_since(since)


def test_calls_that_hang_leave_room_for_every_other_request(hostile: Mixpeek, good: Mixpeek, pulse: Pulse) -> None:
    since = time.monotonic()

    path = f"/v1/namespaces/{hostile.namespace}/plugins/hostile_1_0_0/realtime/test"
    body = {"inputs": {"act": "endless_loop", "where": {}}}
    headers = {"Authorization": f"Bearer {API_KEY}"}

    with (
        httpx.Client(base_url=pulse.url, headers=headers, timeout=60, limits=httpx.Limits(max_connections=50)) as http,
        ThreadPoolExecutor(50) as pool,
    ):
        calls = [pool.submit(http.post, path, json=body) for _ in range(50)]
        while not all(call.done() for call in calls):
            assert good.plugins.realtime_test("harmless_1_0_0", {"text": "meanwhile"})["status"] == "success"

    assert {call.result().status_code for call in calls} == {200}
    # The first is stopped, those behind it have waited as long as a request may take.
    errors = [call.result().json()["error"] for call in calls]
    assert all(re.match("Plugin|InferenceUnavailable: The request waited", error) for error in errors), errors
    assert any(error.startswith("PluginTimedOut: ") for error in errors), errors
    pulse.check_since(since)
