"""Cold start and memory: a deploy on a running server beside the start of LitServe and of Ray Serve.

Ours: from the answer that accepts the deploy of a trivial plugin (a name of its own each round) to its first answered
request: gate in a host of its own, green host, switch. A peer: from the start of its process to its first answered
request. Memory is PSS, summed over all processes once they have answered: of one of our hosts with its sandbox, of our
whole platform (supervisor, API, worker, PostgreSQL and that host), of each peer's tree. Ours is stopped while a peer
starts. Interleaved, medians of the rounds. Ray Serve is measured with its own proxy; HAProxy only adds to it.

`python cold_start.py [--rounds N]`; ends 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

from harness import processes
from harness.contenders import Peer, peers
from harness.figures import Limit, judge, median_ratio
from harness.ours import Platform, running_platform, tree_of, write_trivial

REQUEST = {"text": "hello"}
POLL_S = 0.01
ANSWERS_WITHIN_S = 60.0
# As a share of the peer's.
START = {"litserve": 1.0, "ray": 0.1}
HOST_OF_LITSERVE, PLATFORM_OF_RAY = 1.0, 0.4

Measured = dict[str, list[float]]


def deploy_ours(platform: Platform, number: int) -> dict[str, float]:
    """Return seconds from accepted to answered, and MB of the host and of the platform; the plugin is gone after it."""
    name = f"cold_{number}"
    plugin_id = platform.publish(write_trivial(platform.folder, name=name))
    target = platform.target(name, REQUEST)
    before = {members[0] for members in platform.hosts()}
    platform.client.plugins.deploy(plugin_id)
    began = time.monotonic()
    while not target.answers():
        assert time.monotonic() < began + ANSWERS_WITHIN_S, platform.client.plugins.status(plugin_id)
        time.sleep(POLL_S)
    took = time.monotonic() - began
    started = [members for members in platform.hosts() if members[0] not in before]
    assert len(started) == 1, f"{len(started)} hosts were started for one replica"
    met = {
        "ours, start s": took,
        "ours, host MB": processes.pss_mb(started[0]),
        "ours, platform MB": processes.pss_mb(tree_of(platform)),
    }
    platform.client.plugins.undeploy(plugin_id)
    _wait_until_gone(platform, before)
    return met


def _wait_until_gone(platform: Platform, before: set[object]) -> None:
    deadline = time.monotonic() + 30
    while any(members[0] not in before for members in platform.hosts()):
        assert time.monotonic() < deadline, "an undeployed host still runs"
        time.sleep(0.05)


def start_peer(peer: Peer) -> dict[str, float]:
    """Return seconds from the start of its process to its first answer, and the MB of all its processes then."""
    began = time.monotonic()
    with peer.serve("trivial", "plain", REQUEST, poll_s=POLL_S) as target:
        took = time.monotonic() - began
        memory = processes.pss_mb(processes.tree(target.pid))
    return {f"{peer.name}, start s": took, f"{peer.name}, tree MB": memory}


def measure(rounds: int, against: Sequence[Peer]) -> Measured:
    met: Measured = defaultdict(list)
    with running_platform() as platform:
        for number in range(rounds):
            taken = deploy_ours(platform, number)
            processes.freeze(platform.process.pid)
            for peer in against:
                taken |= start_peer(peer)
            processes.thaw(platform.process.pid)
            for name, value in taken.items():
                met[name].append(value)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    return met


def limits_of(met: Measured, against: Sequence[Peer]) -> list[Limit]:
    names = {peer.name for peer in against}
    limits = []
    for name in names & START.keys():
        what = f"cold start: deploy accepted → first answer ÷ {name}'s start"
        limits.append(Limit(what, median_ratio(met["ours, start s"], met[f"{name}, start s"]), "≤", START[name]))
    if "litserve" in names:
        what = "memory: one host ÷ litserve's tree"
        limits.append(Limit(what, median_ratio(met["ours, host MB"], met["litserve, tree MB"]), "≤", HOST_OF_LITSERVE))
    if "ray" in names:
        what = "memory: the whole platform ÷ ray's tree"
        limits.append(Limit(what, median_ratio(met["ours, platform MB"], met["ray, tree MB"]), "≤", PLATFORM_OF_RAY))
    return sorted(limits, key=lambda limit: limit.what)


def main() -> int:
    processes.end_in_order_when_told()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    against = peers(["litserve", "ray"])
    met = measure(given.rounds, against)
    print(f"\n{'':24}{'median':>10}{'min':>10}{'max':>10}   of {given.rounds} interleaved rounds")
    for name, values in met.items():
        print(f"{name:24}{statistics.median(values):10.2f}{min(values):10.2f}{max(values):10.2f}")
    print()
    return 0 if judge(limits_of(met, against)) else 1


if __name__ == "__main__":
    sys.exit(main())
