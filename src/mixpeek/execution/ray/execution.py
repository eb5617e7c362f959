"""Starts hosts in actors of a Ray cluster; see `Execution` in `execution.port`.

Ray chooses the machine, carries the folders there, and is not asked again before the host has ended.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
from pathlib import Path
from typing import Any

from mixpeek.errors import HostLost, PlatformError
from mixpeek.execution import sandbox
from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.port import Broker
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.grants import Grants
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.local import for_tests, tests_of
from mixpeek.execution.port import START_TIMEOUT_S, TESTS_TIMEOUT_S, HostSpec, LogSink, PytestResult
from mixpeek.execution.ray.actor import versions
from mixpeek.execution.ray.cluster import Cluster, Placed
from mixpeek.execution.ray.placement import Reservation, reservation_for
from mixpeek.execution.remote.doors import enter
from mixpeek.execution.remote.folders import Digests, pieces_of
from mixpeek.execution.remote.handshake import TOKEN_BYTES, NotOurs
from mixpeek.execution.remote.host import RemoteHost
from mixpeek.execution.remote.keeper import Launched, Order


class RayExecution:
    """Starts hosts on the machines of a cluster.

    Args:
        is_own: the cluster is this server's own, on its own machine: folders are used where they lie, and nothing is
            reserved, as for hosts that are child processes.
        cache_dir: where its machines keep the folders they are sent; a default of theirs if None.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        is_own: bool = False,
        cache_dir: Path | None = None,
        grants: Grants | None = None,
        logs: LogSink | None = None,
        broker: Broker | None = None,
    ) -> None:
        self.cluster = cluster
        self._is_own = is_own
        self._cache_dir = cache_dir
        self._grants = grants or Grants.here()
        self._logs = logs
        self._broker = broker
        self._digests = Digests()
        self._hosts: list[RemoteHost] = []

    @property
    def grants(self) -> Grants:
        """What the cluster grants to hosts, as it was when it was last asked."""
        return self._grants

    def processors(self) -> int:
        """Return how many processors the cluster's machines have by now; raise ServiceUnavailable. Blocks."""
        if self._is_own:
            return os.cpu_count() or 1
        return max(1, int(self.cluster.count()["cpus"]))

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> RemoteHost:
        """Start a host and return it once it answers; `timeout_s` begins when it has its place.

        Raises: what `Execution.start` does, and NoRoom, HostLost, ServiceUnavailable.
        """
        if spec.gpu:
            counted = await asyncio.to_thread(self.cluster.count)
            self._grants = dataclasses.replace(self._grants, has_gpu=counted["gpus"] > 0)
        spec, _ = self._grants.decide(spec)
        reservation = Reservation() if self._is_own else reservation_for(spec)
        token = secrets.token_bytes(TOKEN_BYTES)
        placed = await self.cluster.place(reservation, token, str(self._cache_dir) if self._cache_dir else None)
        host: RemoteHost | None = None
        try:
            address = await placed.open(versions())
            folders = {} if self._is_own else await self._deliver(spec, placed)
            host = self._host_for(spec, placed)
            try:
                sockets, is_near = await enter(address, token)
            except (NotOurs, OSError, TimeoutError) as error:
                raise HostLost(
                    f"The host's machine cannot be reached at {address.host}:{address.port}: {error}",
                    hint="Let the API's machines connect to every port of the cluster's machines",
                ) from error
            await host.connect(sockets, address.host)
            order = Order(spec, self._grants.egress, _is_isolated(), timeout_s, folders)
            launched: Launched = await placed.call("launch", order)
            pid = launched.pid if is_near else 0
            await host.begin(spec, pid, has_proxy=launched.has_proxy, timeout_s=timeout_s)
        except BaseException:  # also if whoever asked has given up
            await (placed.release() if host is None else host.close())
            raise
        self._hosts = [known for known in self._hosts if known.alive]
        self._hosts.append(host)
        return host

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        """Run the plugin's own tests in a host of their own, which has neither network nor GPU."""
        return await tests_of(await self.start(for_tests(spec)), timeout_s=timeout_s)

    async def close(self) -> None:
        """End every host started here, and let go of the cluster."""
        hosts, self._hosts = self._hosts, []
        await asyncio.gather(*(host.close() for host in hosts))
        await asyncio.to_thread(self.cluster.close)

    def _host_for(self, spec: HostSpec, placed: Placed) -> RemoteHost:
        veil = Veil()
        log = HostLog(self._logs, spec.origin, veil) if self._logs and spec.origin else None
        # In the name of whom it works for, which is not always whose plugin it is.
        namespace_id = spec.origin.namespace_id if spec.origin else None
        return RemoteHost(log, AskChannel(self._broker, namespace_id, veil), veil, placed.release)

    async def _deliver(self, spec: HostSpec, placed: Placed) -> dict[Path, str]:
        """Have a host's folders on its machine; return their hashes by where they lie here."""
        wanted = [spec.plugin_dir, *spec.extra_paths, *(model.path for model in spec.models)]
        folders = {folder: await asyncio.to_thread(self._digests.of, folder) for folder in dict.fromkeys(wanted)}
        lacking: list[str] = await placed.call("lacks", list(folders.values()))
        for folder, digest in folders.items():
            if digest in lacking:
                await _send(folder, digest, placed)
        return folders


async def _send(folder: Path, digest: str, placed: Placed) -> None:
    pieces = pieces_of(folder)
    piece: bytes | None = await asyncio.to_thread(next, pieces, None)
    if piece is None:
        raise PlatformError(f"{folder} could not be packed")
    while piece is not None:
        following: Any = await asyncio.to_thread(next, pieces, None)
        await placed.call("take", digest, piece, following is None)
        piece = following


def _is_isolated() -> bool:
    return sandbox.probe().mode != "off"
