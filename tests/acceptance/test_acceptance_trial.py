"""The trial before a switch: what forbids it, in which phase and why, while the old version answers on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from factories.platform import deployed, publish
from factories.plugins import MakePlugin, write_plugin
from factories.servers import Server
from mixpeek import Mixpeek

REVERSED = "return {'embedding': embed(request['text']).tolist()[::-1]}"
# Beside 100 MB of its own it unpacks 250 MB into its scratch folder, which is memory too; then it would go on.
UNPACKS_TOO_MUCH = """
        import time
        import numpy as np
        self.weights = np.ones(100_000_000, dtype=np.uint8)
        for part in range(10):
            self.weights[:25_000_000].tofile(f"/tmp/weights{part}")
        time.sleep(60)
"""


@dataclass(frozen=True)
class Broken:
    """A version that must not go live: its parts, and what the failure must say."""

    phase: str
    code: str
    message: str
    frame: dict[str, Any] | None = None
    hint: str = ""
    parts: dict[str, Any] = field(default_factory=dict)


BROKEN = {
    "a crashing constructor": Broken(
        "gate",
        "plugin.raised",
        "RuntimeError: no weights here",
        {"file": "realtime.py", "line": 6, "function": "__init__", "code": "raise RuntimeError('no weights here')"},
        parts={"construct": "raise RuntimeError('no weights here')"},
    ),
    "a model that cannot be allocated": Broken(
        "gate",
        "plugin.out_of_memory",
        "PluginOutOfMemory: ",
        {"file": "realtime.py", "line": 6, "function": "__init__", "code": "self.weights = bytearray(2**30)"},
        "actor_memory_gb",
        {"construct": "self.weights = bytearray(2**30)", "manifest": "serve_config = {'memory_gb': 0.25}"},
    ),
    "a model whose host is stopped over its memory": Broken(
        "gate",
        "plugin.out_of_memory",
        "256 are allowed",
        hint="actor_memory_gb",
        parts={"construct": UNPACKS_TOO_MUCH, "manifest": "serve_config = {'memory_gb': 0.25}"},
    ),
    "a wrong dimension in batch": Broken(
        "gate",
        "plugin.reply_invalid",
        "in batch, feature 'words_vector' has 3 numbers, its manifest says 8",
        parts={"batch": "batch[FEATURE] = [[1.0, 2.0, 3.0]] * len(batch)"},
    ),
    "broken parity where it is strict": Broken(
        "gate",
        "plugin.parity_broken",
        "realtime and batch differ in feature 'words_vector': their cosine is ",
        hint="parity",
        parts={"predict": REVERSED, "manifest": "parity = 'strict'"},
    ),
    "a hang at warm-up": Broken(
        "gate",
        "plugin.timed_out",
        "did not answer `warmup` within 4 s",
        hint="start_timeout_s",
        parts={"construct": "import time; time.sleep(600)", "manifest": "serve_config = {'start_timeout_s': 4}"},
    ),
    "a constructor that raises only where it would go live": Broken(
        "start",
        "plugin.raised",
        "A green host did not start: RuntimeError: not here",
        {"file": "realtime.py", "line": 8, "function": "__init__", "code": "raise RuntimeError('not here')"},
        parts={
            # Hosts on trial leave the processor to those that answer; whatever the server's own niceness, theirs is 19.
            "construct": """
                import os
                if os.getpriority(os.PRIO_PROCESS, 0) < 19:
                    raise RuntimeError('not here')
            """
        },
    ),
}


@pytest.fixture(scope="module")
def live(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mixpeek, Callable[..., str]]]:
    """A client in a namespace where `words` 1.0.0 is live, and a way to publish further versions of it."""
    folder = tmp_path_factory.mktemp("versions")
    numbers = itertools.count(1)

    def publish_next(client: Mixpeek, **parts: Any) -> str:
        version = f"1.{next(numbers)}.0"
        return publish(client, write_plugin(folder / version / "words", version=version, **parts), version=version)

    with server.client() as client:
        publish(client, write_plugin(folder / "first" / "words"), deploy=True)
        yield client, publish_next


@pytest.mark.parametrize("what", BROKEN)
def test_a_version_that_does_not_pass_says_where_and_why_and_the_old_one_answers_on(
    live: tuple[Mixpeek, Callable[..., str]], what: str
) -> None:
    client, publish_next = live
    broken = BROKEN[what]
    plugin_id = publish_next(client, **broken.parts)
    queued = client.plugins.deploy(plugin_id)
    seen: list[tuple[str, str]] = []

    status = client.plugins.wait(plugin_id, lambda each: seen.append((each.status, each.phase)), poll_s=0.05)

    assert ("IN_PROGRESS", "gate") in seen, "whoever polls sees a phase while it lasts"
    assert (status.status, status.phase, status.deployed) == ("FAILED", broken.phase, False), status
    failure = status["failure"]
    assert (failure["phase"], failure["code"]) == (broken.phase, broken.code), failure
    assert broken.message in failure["message"]
    assert broken.message in status.error
    assert broken.hint in str(failure["hint"])
    assert failure["frames"][-1:] == ([broken.frame] if broken.frame else [])
    logs = f"/v1/namespaces/{client.namespace}/plugins/{plugin_id}/logs?deployment_id={queued.deployment_id}"
    assert failure["logs_url"] == logs
    last = status.timeline[-1]
    assert (last["phase"], last["status"], last["duration_s"]) == (broken.phase, "FAILED", None)
    first = client.plugins.status("words_1_0_0")
    assert (first.status, first.deployed, first["failure"]) == ("DEPLOYED", True, None)
    assert client.plugins.realtime_test("words_1_0_0", {"text": "hello"}).status == "success"


def test_a_sample_that_a_plugin_ships_is_asked_in_both_paths_and_their_difference_is_said(
    live: tuple[Mixpeek, Callable[..., str]],
) -> None:
    client, publish_next = live
    predict = """
        if request["text"] != "a shipped row":
            raise ValueError("not mine")
        return {"embedding": embed(request["text"]).tolist()[::-1]}
    """
    batch = "assert list(batch['text']) == ['a shipped row']; batch[FEATURE] = column_of(batch['data'])"
    samples = json.dumps([{"text": "a shipped row"}, {"text": "another"}])

    status = deployed(client, publish_next(client, predict=predict, batch=batch, files={"samples.json": samples}))

    assert status.status == "DEPLOYED", status
    [warning] = status.warnings
    assert "Realtime and batch differ in feature 'words_vector': their cosine is 0." in warning.replace("is -", "is ")
    assert "asked with the first row of samples.json" in warning
    phases = [(each["phase"], each["status"]) for each in status.timeline]
    assert phases[:3] == [("building", "PENDING"), ("gate", "IN_PROGRESS"), ("start", "IN_PROGRESS")]
    assert phases[-1] == ("live", "DEPLOYED")
    *passed, last = [each["duration_s"] for each in status.timeline]
    assert last is None
    assert all(duration >= 0 for duration in passed)
    gate = status.timeline[1]
    assert gate["detail"].startswith("Asked with the first row of samples.json; cosine ")
    assert gate["started_at"] == gate["at"]
    assert gate["duration_s"] > 0


def test_a_made_up_question_may_be_refused_by_both_paths_and_that_is_said(
    live: tuple[Mixpeek, Callable[..., str]],
) -> None:
    client, publish_next = live
    refuse = "raise ValueError('only German')"

    status = deployed(client, publish_next(client, predict=refuse, batch=refuse, manifest="parity = 'strict'"))

    assert status.status == "DEPLOYED", status
    handler, pipeline, parity = status.warnings
    assert handler.startswith("The handler refused a made-up sentence (ValueError: only German)")
    assert pipeline.startswith("The pipeline refused a made-up sentence (ValueError: only German)")
    assert 'parity = "strict" could not be checked' in parity


def test_a_plugin_for_images_is_asked_with_a_real_image(client: Mixpeek, make_plugin: MakePlugin) -> None:
    size = """
        from shared.plugins import open_asset

        def size_of(address):
            with open_asset(address) as file:
                head = file.read(24)
            assert head.startswith(b"\\x89PNG"), head
            return [float(head[19]), float(head[23])]
    """
    manifest = "supported_input_types = ['image']"
    plugin = make_plugin(
        "sizes",
        manifest=manifest,
        dimension=2,
        predict="from .size import size_of; return {'embedding': size_of(request['text'])}",
        batch="from ..size import size_of; batch[FEATURE] = [size_of(each) for each in batch['data']]",
        files={"size.py": size},
    )

    status = deployed(client, publish(client, plugin))

    assert (status.status, status.warnings) == ("DEPLOYED", []), status
    assert status.timeline[1]["detail"] == "Asked with a made-up image/png; cosine 1.0000 in words_vector"
