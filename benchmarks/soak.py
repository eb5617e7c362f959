"""Constant load through redeploys, rollbacks, a failing deploy and a killed replica: every failed request is listed.

200 requests a second of an open loop (`harness/open_loop.py`: times fixed beforehand, each request sent once, its time
counted from when it was due) against one replica of a plugin that takes 2 ms, with key check, sandbox and headers.
Limits: no request fails; p99 around a switch (1 s before to 1 s after the first answer of the new version) is at most
twice the steady p99, which is that of requests that met no event.
`--restart`: the server itself is also ended (SIGTERM) and started again, once at rest and once in the middle of a
redeploy. Requests then fail while nothing listens: which, when and why is listed; outside of the restarts none may.

`python soak.py [--restart] [--rate N] [--pause S] [--redeploys N] [--record FILE]`; ends 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness import processes
from harness.figures import Limit, judge, percentile
from harness.ours import Platform, running_platform, write_trivial
from harness.target import HERE, Target
from harness.timeline import Event, Outcome, Timeline, around, outside, read_outcomes, switches, within

from mixpeek.client import ApiError

REDEPLOYS, ROLLBACKS = 10, 2
P99_OF_STEADY = 2.0
NAME = "soaked"
TAKES_S = 0.002
SHOWN_OF_RESTART = 3


@contextlib.contextmanager
def asking(target: Target, rate: float, record: Path) -> Iterator[None]:
    """Ask in another process meanwhile; `record` is there afterwards."""
    line = [sys.executable, HERE / "open_loop.py", target.port, target.path, rate, record, *target.headers]
    process = subprocess.Popen(list(map(str, line)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(target.body)
    process.stdin.close()
    assert process.stdout.readline() == b"asking\n"
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


class Soak:
    """The things done to one server, one after the other, each once the one before has ended and a pause is over."""

    def __init__(self, platform: Platform, pause_s: float) -> None:
        self.platform = platform
        self.timeline = Timeline()
        self._pause_s = pause_s
        self._client = platform.client

    def publish(self, version: str, **parts: Any) -> None:
        self.platform.publish(write_trivial(self.platform.folder, name=NAME, version=version, **parts), version)

    def steady(self) -> None:
        time.sleep(self._pause_s)

    def redeploy(self, version: str) -> None:
        with self.timeline.during("rollout", f"redeploy {version}", version) as event:
            event.result = self._deploy(version)
        self.steady()

    def fail_to_deploy(self, version: str) -> None:
        with self.timeline.during("failing", f"failing deploy {version}") as event:
            result = self._deploy(version)
            event.result = "ok" if result == "FAILED" else f"ended {result} though its handler raises"
        self.steady()

    def roll_back(self, version: str) -> None:
        with self.timeline.during("rollout", f"rollback to {version}", version) as event:
            try:
                self._client.plugins.rollback(NAME, version)
                event.result = "ok"
            except ApiError as error:
                event.result = str(error)
        self.steady()

    def kill_replica(self) -> None:
        """Kill the process of the host that was started last, as the kernel would, and wait for another one."""
        before = self.platform.hosts()
        members = max(before, key=lambda each: each[0].create_time())
        with self.timeline.during("kill", f"kill -9 of a replica's process {members[-1].pid}") as event:
            members[-1].kill()
            event.result = self._until_another_host(members[-1].pid)
        self.steady()

    def restart(self, *, deploying: str | None = None) -> None:
        """End the server and start it again, with a redeploy under way if a version is given."""
        what = "restart of the server" if deploying is None else f"restart in the middle of the redeploy {deploying}"
        with self.timeline.during("restart", what, deploying) as event:
            if deploying is not None:
                self._client.plugins.deploy(_plugin_id(deploying))
            code = self.platform.restart()
            event.result = "ok" if code == 0 else f"the server ended with {code}"
            if deploying is not None:
                event.result = self._wait(deploying)
        self.steady()

    def _deploy(self, version: str) -> str:
        self._client.plugins.deploy(_plugin_id(version))
        return self._wait(version)

    def _wait(self, version: str) -> str:
        status = self._client.plugins.wait(_plugin_id(version), timeout_s=120, poll_s=0.1).status
        return "ok" if status == "DEPLOYED" else str(status)

    def _until_another_host(self, pid: int) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if any(each[-1].pid != pid for each in self.platform.hosts()):
                return "ok"
            time.sleep(0.05)
        return "no other replica was started within 30 s"


def _plugin_id(version: str) -> str:
    return f"{NAME}_{version.replace('.', '_')}"


def run(soak: Soak, redeploys: int, rate: float, record: Path, *, with_restarts: bool) -> list[Outcome]:
    """Publish the versions, then do everything under load, and return how each request went."""
    versions = [f"1.0.{number}" for number in range(redeploys + 1)]
    for version in versions:
        soak.publish(version, takes_s=TAKES_S)
    soak.publish("9.0.0", takes_s=TAKES_S, construct='raise RuntimeError("these weights are broken")')
    soak.publish("9.1.0", takes_s=TAKES_S)
    soak.platform.deploy(_plugin_id(versions[0]))
    target = soak.platform.target(NAME, {"text": "hello"})
    target.settle()
    middle = (redeploys + 1) // 2
    with asking(target, rate, record):
        soak.steady()
        soak.steady()
        for version in versions[1 : middle + 1]:
            soak.redeploy(version)
        soak.kill_replica()
        soak.fail_to_deploy("9.0.0")
        if with_restarts:
            soak.restart()
            soak.restart(deploying="9.1.0")
        for version in versions[middle + 1 :]:
            soak.redeploy(version)
        soak.roll_back(versions[-2])
        soak.roll_back(versions[0])
        soak.steady()
    return read_outcomes(record)


def report_failures(outcomes: Sequence[Outcome], timeline: Timeline) -> None:
    """Print every failed request, of those within a restart the first few, then all of them by what was happening."""
    began = outcomes[0].due
    failed = [each for each in outcomes if not each.is_good]
    print(f"\n{len(failed)} of {len(outcomes):,} requests failed")
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for each in failed:
        reason = f"{each.status or 'no answer'} {each.error[:110]}"
        groups[timeline.at(each.due), reason].append(each)
    for (what, reason), members in groups.items():
        shown = SHOWN_OF_RESTART if "restart" in what else len(members)
        for each in members[:shown]:
            after = f"after {each.seconds * 1e3:8.1f} ms"
            print(f"  due at {each.due - began:8.3f} s, failed {after}: {reason} [{what}]")
        if len(members) > shown:
            print(f"  … and {len(members) - shown} more like it, until {members[-1].due - began:.3f} s")
    for (what, reason), members in groups.items():
        span = f"{members[0].due - began:.2f} to {members[-1].due - began:.2f} s"
        print(f"  {len(members):6} × {reason} [{what}], due from {span}")


def report_times(parts: dict[str, list[Outcome]]) -> None:
    print(f"\n{'requests due':44}{'count':>8}{'p50 ms':>9}{'p99 ms':>9}{'worst ms':>10}")
    for name, outcomes in parts.items():
        if outcomes:
            times = [each.seconds * 1e3 for each in outcomes]
            row = f"{percentile(times, 0.5):9.2f}{percentile(times, 0.99):9.2f}{max(times):10.1f}"
            print(f"{name:44}{len(outcomes):8}{row}")


def report_events(events: Sequence[Event], moments: dict[str, float], outcomes: Sequence[Outcome]) -> None:
    began = outcomes[0].due
    print(f"\n{'what was done':48}{'at s':>8}{'took s':>8}{'switch p99 ms':>15}   result")
    for event in events:
        near = around([moments[event.what]], outcomes) if event.what in moments else []
        p99 = f"{percentile([each.seconds * 1e3 for each in near], 0.99):15.2f}" if near else f"{'':15}"
        print(f"{event.what:48}{event.began - began:8.1f}{event.ended - event.began:8.2f}{p99}   {event.result}")


def judge_run(soak: Soak, outcomes: list[Outcome]) -> list[Limit]:
    events = soak.timeline.events
    restarts = [event for event in events if event.kind == "restart"]
    rollouts = [event for event in events if event.kind == "rollout"]
    moments = switches(events, outcomes)
    steady = outside(events, outcomes)
    # What a restart does to times is told apart: its own limit is that everything else goes on.
    switched = around([moments[event.what] for event in rollouts if event.what in moments], outcomes)
    report_events(events, moments, outcomes)
    report_times(
        {
            "while nothing was done (steady)": steady,
            "around the switches (1 s before and after)": switched,
            "during whole rollouts, gate and start included": within(rollouts, outcomes),
            "after the replica was killed": within([each for each in events if each.kind == "kill"], outcomes),
            "during the failing deploy": within([each for each in events if each.kind == "failing"], outcomes),
            "while the server restarted": [each for each in within(restarts, outcomes) if each.is_good],
        }
    )
    report_failures(outcomes, soak.timeline)
    print()
    bad = [each for each in outcomes if not each.is_good]
    outside_restarts = outside(restarts, bad)
    wrong = [event for event in events if event.result != "ok"]
    silent = [event for event in rollouts if event.what not in moments]
    times, steady_times = ([each.seconds for each in part] for part in (switched, steady))
    limits = [
        Limit("soak: things done that did not end as they should", len(wrong), "≤", 0),
        Limit("soak: switches whose version never answered", len(silent), "≤", 0),
        Limit("soak: failed requests" + " outside of restarts" * bool(restarts), len(outside_restarts), "≤", 0),
    ]
    if not restarts:  # what a restart made wait is worked off for a while, and nothing is steady
        ratio = _p99(times) / _p99(steady_times)
        limits.append(Limit("soak: p99 around a switch ÷ steady p99", ratio, "≤", P99_OF_STEADY))
    for event in restarts:
        lost = [each for each in bad if event.covers(each.due)]
        span = max(each.due for each in lost) - min(each.due for each in lost) if lost else 0.0
        print(f"{event.what}: {len(lost)} requests failed, the first and the last {span:.2f} s apart")
    return limits


def _p99(values: Sequence[float]) -> float:
    return percentile(values, 0.99) if values else float("nan")


def main() -> int:
    processes.end_in_order_when_told()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds of steady load between two events")
    parser.add_argument("--redeploys", type=int, default=REDEPLOYS)
    parser.add_argument("--record", type=Path, help="keep what became of every request, and the server's log beside it")
    given = parser.parse_args()
    with running_platform() as platform:
        soak = Soak(platform, given.pause)
        record = platform.folder / "outcomes.jsonl"
        try:
            outcomes = run(soak, given.redeploys, given.rate, record, with_restarts=given.restart)
            kept = judge(judge_run(soak, outcomes))
        finally:
            if given.record is not None:
                shutil.copy(platform.log, given.record.with_suffix(".server.log"))
                if record.exists():
                    shutil.copy(record, given.record)
        return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
