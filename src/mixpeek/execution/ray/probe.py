"""`python -m mixpeek.execution.ray.probe ADDRESS`: what a cluster has, as JSON, or why it cannot be reached and 1.

A program of its own, as Ray talks while it connects, and does not always come back.
"""

from __future__ import annotations

import json
import subprocess
import sys

from mixpeek.errors import MixpeekError, ServiceUnavailable

WITHIN_S = 60.0


def probe(address: str, within_s: float = WITHIN_S) -> dict[str, float]:
    """Return how many machines, CPUs and GPUs the cluster has; raise ServiceUnavailable. Blocks."""
    line = [sys.executable, "-m", "mixpeek.execution.ray.probe", address]
    try:
        ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=within_s)
    except subprocess.TimeoutExpired:
        raise ServiceUnavailable(f"The Ray cluster at {address} did not answer within {within_s:g} s") from None
    lines = [each for each in ended.stdout.splitlines() if each.startswith("{")]
    told = json.loads(lines[-1]) if lines else {"fault": ended.stderr.strip().rpartition("\n")[2]}
    if ended.returncode != 0 or "fault" in told:
        raise ServiceUnavailable(str(told.get("fault") or f"ended with status {ended.returncode}"))
    return {name: float(value) for name, value in told.items()}


def main(address: str) -> int:
    from mixpeek.execution.ray.cluster import Cluster  # loads Ray: only here

    cluster = Cluster(lambda: address, WITHIN_S)
    try:
        cluster.connect()
    except MixpeekError as error:
        print(json.dumps({"fault": error.message}))  # noqa: T201
        return 1
    print(json.dumps(cluster.count()))  # noqa: T201
    cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
