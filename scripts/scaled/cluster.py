"""A Ray cluster of several nodes on this machine, in processes of its own; a node is killed as a machine fails.

Run as a program it starts the cluster, says where it is, adds a node for each line of its input, and ends with that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from scripts.scaled.ports import free_port


class RayCluster:
    """Use as a context manager: a head without processors to give away, and `nodes` that have some each.

    Args:
        cpus, memory_gib: what each node has to give away, whatever its machine has.
        token: who connects must hold it; None leaves that to this process's own variables.
    """

    def __init__(self, nodes: int = 2, *, cpus: int = 2, memory_gib: int = 8, token: str | None = None) -> None:
        self._token = token
        self._shape = (nodes, cpus, memory_gib)
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        self.client_port = free_port()
        self.raylets: list[int] = []

    def __enter__(self) -> RayCluster:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MIXPEEK_")}
        closed = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token} if self._token else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.scaled.cluster", str(self.client_port), *map(str, self._shape)],
            env={**kept, **closed, "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._hear():
            return self
        code = self._process.wait()
        self.__exit__(None, None, None)
        raise RuntimeError(f"The Ray cluster did not start: it ended with {code}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def add_node(self) -> None:
        """Have one more node like the others."""
        assert self._process is not None and self._process.stdin is not None
        print("add", file=self._process.stdin, flush=True)
        if not self._hear():
            raise RuntimeError("The Ray cluster has ended")

    def _hear(self) -> bool:
        """Take in what the cluster says of itself next; return False if it has ended."""
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                self.address, self.raylets = told["address"], told["raylets"]
                return True
        return False

    def hosting(self) -> list[int]:
        """Return the nodes on which hosts of plugins run, busiest first, by the pids of their raylets."""
        count = {raylet: count_hosts(raylet) for raylet in self.raylets}
        return sorted((raylet for raylet in count if count[raylet]), key=lambda each: -count[each])

    def client_servers(self) -> list[psutil.Process]:
        """Return the processes of the head that each serve one client from outside, also those that only start."""
        assert self._process is not None
        members = psutil.Process(self._process.pid).children(recursive=True)
        return [each for each in members if "--mode=specific-server" in _command(each)]

    @staticmethod
    def kill(raylet: int) -> None:
        """Kill a node with everything that runs on it, at once."""
        root = psutil.Process(raylet)
        for process in (root, *root.children(recursive=True)):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def count_hosts(raylet: int) -> int:
    """Return how many hosts of plugins run on a node."""
    try:
        members = psutil.Process(raylet).children(recursive=True)
    except psutil.NoSuchProcess:
        return 0
    return sum(_is_host(each) for each in members)


def _is_host(process: psutil.Process) -> bool:
    try:
        return "mixpeek.host" in _command(process) and not process.children()
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    from ray.cluster_utils import Cluster

    client_port, nodes, cpus, memory_gib = map(int, sys.argv[1:])
    each: dict[str, Any] = {"memory": memory_gib * 1024**3, "object_store_memory": 80 * 1024**2}
    head = {"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": client_port}
    cluster = Cluster(initialize_head=True, head_node_args={**head, **each})
    all_nodes = [cluster.head_node, *(cluster.add_node(num_cpus=cpus, **each) for _ in range(nodes))]
    _tell(cluster, all_nodes)
    for _ in sys.stdin:
        all_nodes.append(cluster.add_node(num_cpus=cpus, **each))
        _tell(cluster, all_nodes)
    cluster.shutdown()  # type: ignore[no-untyped-call, unused-ignore]


def _tell(cluster: Any, nodes: list[Any]) -> None:
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
