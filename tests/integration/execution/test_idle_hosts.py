"""Hosts of batches: where the kernel can be told so, they run only while nobody else wants a processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mixpeek.execution.blocking import BlockingHost
from mixpeek.execution.idle_group import NAME, make_idle_group
from mixpeek.execution.watchdog import innermost

StartHost = Callable[..., BlockingHost]


def _groups(host: BlockingHost) -> str:
    return Path(f"/proc/{innermost(host.pid)}/cgroup").read_text()


def test_an_idle_host_is_in_the_idle_group_and_others_are_not(start: StartHost) -> None:
    if make_idle_group() is None:
        pytest.skip("no control group for processors may be made here")

    idle, other = start(idle=True), start()
    if not idle.pid:
        pytest.skip("what is on another machine is not seen from here")

    assert f"/{NAME}\n" in _groups(idle)
    assert NAME not in _groups(other)
    assert idle.build() == other.build()
