"""Hosts of batches: where the kernel can be told so, they run only while nobody else wants a processor."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factories.waiting import until
from mixpeek.execution.blocking import BlockingHost
from mixpeek.execution.idle_groups import IDLE, OWED, make_groups
from mixpeek.execution.watchdog import innermost

WritePlugin = Callable[..., Path]
StartHost = Callable[..., BlockingHost]

TABLE = pa.table({"data": ["a", "b"]})
BUSY_PIPELINE = """
    import time

    from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps

    class Processor:
        def __init__(self, config, progress_actor=None):
            self.config = config

        def __call__(self, batch):
            end_s = time.process_time() + 0.3
            while time.process_time() < end_s:
                pass
            batch["vector"] = [[1.0, 2.0] for _ in batch["data"]]
            return batch

    def build_steps(extractor_request, container=None, base_steps=None, **kwargs):
        steps = [StepDefinition(service_class=Processor, config=extractor_request.parameters)]
        pipeline = PipelineDefinition(name="sample", version="1.0.0", steps=steps)
        return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda rows: rows}
"""


@pytest.fixture
def start_idle(start: StartHost) -> StartHost:
    """Start a host of a batch, whose group is seen from here; it takes a right that root has."""
    if make_groups() is None:
        pytest.skip("no control group for processors may be made here")

    def start_host(*arguments: Any) -> BlockingHost:
        host = start(*arguments, idle=True, background=True)
        if not host.pid:
            pytest.skip("what is on another machine is not seen from here")
        return host

    return start_host


def _groups(host: BlockingHost) -> str:
    return Path(f"/proc/{innermost(host.pid)}/cgroup").read_text()


def test_an_idle_host_is_in_the_idle_group_and_others_are_not(start_idle: StartHost, start: StartHost) -> None:
    idle, other = start_idle(), start()

    assert f"/{IDLE}\n" in _groups(idle)
    assert IDLE not in _groups(other)
    assert idle.build() == other.build()


def test_where_others_keep_all_processors_busy_an_idle_host_gets_its_turns(
    start_idle: StartHost, write_plugin: WritePlugin
) -> None:
    host = start_idle(write_plugin(pipeline=BUSY_PIPELINE))
    host.build()
    answers: list[pa.Table] = []
    call = threading.Thread(target=lambda: answers.append(host.run(TABLE, timeout_s=5.0)))
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        call.start()
        until(lambda: f"/{OWED}\n" in _groups(host), what="the host is given a turn")
        until(lambda: f"/{IDLE}\n" in _groups(host), what="the turn has ended")
        call.join(60)
    finally:
        for other in others:
            other.kill()
            other.wait()

    assert [answer.num_rows for answer in answers] == [2]
