"""When the watchdog stops a host, decided from what it saw at each look."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.waiting import until
from mixpeek.errors import PluginCpuExceeded, PluginError, PluginOutOfMemory, PluginTooManyThreads
from mixpeek.execution import sandbox
from mixpeek.execution.watchdog import (
    CALL_CORES,
    IDLE_CPU_S,
    IDLE_SHARE,
    MAX_THREADS,
    MEMORY_SLACK_BYTES,
    Judge,
    Usage,
    innermost,
    usage_of,
)
from mixpeek.host.patience import kept_waiting_s

MIB = 1024**2
CALL = (7, 10.0)


def look(
    judge: Judge,
    cpu_s: float,
    *,
    call: tuple[int, float] | None = None,
    mib: int = 10,
    threads: int = 2,
    begun: int = 0,
) -> PluginError | None:
    return judge.verdict(Usage(mib * MIB, cpu_s, threads), call, 1.0, begun=begun)


def test_memory_over_the_limit_and_its_slack_ends_a_host() -> None:
    judge = Judge(100 * MIB)
    most = 100 + MEMORY_SLACK_BYTES // MIB

    assert look(judge, 0.0, mib=most) is None
    assert isinstance(look(judge, 0.0, mib=most + 1), PluginOutOfMemory)


def test_more_threads_than_allowed_end_a_host() -> None:
    judge = Judge(100 * MIB)

    assert look(judge, 0.0, threads=MAX_THREADS) is None
    assert isinstance(look(judge, 0.0, threads=MAX_THREADS + 1), PluginTooManyThreads)


def test_a_host_that_is_busy_while_nobody_waits_is_stopped_after_its_allowance() -> None:
    judge = Judge(100 * MIB)
    verdicts = [look(judge, float(second)) for second in range(12)]

    allowed_s = IDLE_CPU_S / (1.0 - IDLE_SHARE)
    stopped_at = next(second for second, verdict in enumerate(verdicts) if verdict is not None)
    assert isinstance(verdicts[stopped_at], PluginCpuExceeded)
    assert allowed_s <= stopped_at <= allowed_s + 1


def test_a_little_work_between_calls_goes_on_for_ever() -> None:
    judge = Judge(100 * MIB)

    assert [look(judge, second * IDLE_SHARE) for second in range(1000)] == [None] * 1000


def test_time_used_inside_calls_is_not_counted_as_idle() -> None:
    judge = Judge(100 * MIB)

    for number in range(100):
        assert look(judge, number * 2.0, call=(number, 10.0)) is None
        assert look(judge, number * 2.0 + 0.9) is None


def test_time_used_by_calls_too_short_to_be_seen_is_not_counted_as_idle() -> None:
    judge = Judge(100 * MIB)

    assert [look(judge, second * 0.9, begun=5000 * second) for second in range(100)] == [None] * 100


def test_a_call_may_use_several_cores_for_as_long_as_it_may_take_and_no_more() -> None:
    judge = Judge(100 * MIB)
    look(judge, 0.0, call=CALL)

    assert look(judge, CALL_CORES * CALL[1], call=CALL) is None
    assert isinstance(look(judge, CALL_CORES * CALL[1] + 1, call=CALL), PluginCpuExceeded)


def test_what_one_call_used_is_not_held_against_the_next() -> None:
    judge = Judge(100 * MIB)
    look(judge, 0.0, call=CALL)
    look(judge, CALL_CORES * CALL[1], call=CALL)

    assert look(judge, CALL_CORES * CALL[1] + 1, call=(8, 10.0)) is None


def test_usage_is_read_from_a_living_process_and_none_from_one_that_is_not() -> None:
    block = bytearray(64 * MIB)
    usage = usage_of(os.getpid())

    assert usage is not None
    assert usage.memory_bytes > len(block)
    assert usage.cpu_s > 0
    assert usage.threads >= threading.active_count()
    assert usage_of(2**22 + 1) is None


def test_a_process_that_shares_one_processor_with_another_is_kept_waiting_and_one_that_sleeps_is_not() -> None:
    processor = min(os.sched_getaffinity(0))
    pinned = ["taskset", "--cpu-list", str(processor)]
    with contextlib.ExitStack() as stack:
        rivals = [stack.enter_context(_running([*pinned, "sh", "-c", "while :; do :; done"])) for _ in range(2)]
        sleeper = stack.enter_context(_running([*pinned, "sleep", "60"]))

        until(lambda: _is_asleep(sleeper.pid), what="the sleeper has begun")
        before = [kept_waiting_s(each.pid) for each in (*rivals, sleeper)]
        for rival, waited_s in zip(rivals, before[:2], strict=True):
            until(lambda r=rival, s=waited_s: kept_waiting_s(r.pid) > s + 0.1, what="it has waited for the other")

        assert kept_waiting_s(sleeper.pid) == before[2]
    assert kept_waiting_s(2**22 + 1) == 0.0


def _is_asleep(pid: int) -> bool:
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    return name == "sleep" and rest.split()[0] == "S"


@contextlib.contextmanager
def _running(line: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(line) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(sandbox.probe().mode != "bubblewrap", reason="no bubblewrap here")
def test_files_in_scratch_count_as_memory_even_if_they_are_empty() -> None:
    script = "touch $(seq -f /tmp/%g 5000) && echo made && exec cat"
    line = ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "sh", "-c", script]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        usage = usage_of(innermost(process.pid))
        process.stdin.close()

    assert usage is not None
    assert usage.memory_bytes > 5000 * 1024


@pytest.mark.parametrize("kind", [PluginOutOfMemory, PluginCpuExceeded, PluginTooManyThreads])
def test_every_reason_has_a_code_and_a_repair(kind: type[PluginError]) -> None:
    assert kind.code.startswith("plugin.")
    assert kind.hint
