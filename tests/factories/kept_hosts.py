"""Hosts of keepers in this process: everything that is between two machines, but for the second one and for Ray."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import tempfile
from pathlib import Path

from mixpeek.execution.asks.channel import AskChannel
from mixpeek.execution.asks.port import Broker
from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.grants import Grants
from mixpeek.execution.host_log import HostLog
from mixpeek.execution.local import for_tests, tests_of
from mixpeek.execution.port import START_TIMEOUT_S, TESTS_TIMEOUT_S, HostSpec, LogSink, PytestResult
from mixpeek.execution.remote.doors import enter
from mixpeek.execution.remote.folders import FolderCache, digest_of, pieces_of
from mixpeek.execution.remote.host import RemoteHost
from mixpeek.execution.remote.keeper import Keeper, Order


class KeptHosts:
    """An execution whose hosts are reached through their keepers' files, or through their ports if `is_far`."""

    def __init__(
        self, *, is_far: bool, grants: Grants | None = None, logs: LogSink | None = None, broker: Broker | None = None
    ) -> None:
        self.grants = grants or Grants.here()
        self.keepers: list[Keeper] = []
        self._is_far = is_far
        self._logs = logs
        self._broker = broker
        self._folder = tempfile.TemporaryDirectory()
        self._cache = FolderCache(Path(self._folder.name) / "cache")
        self.hosts: list[RemoteHost] = []

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> RemoteHost:
        spec, _ = self.grants.decide(spec)
        token = secrets.token_bytes(32)
        keeper = Keeper(token, "127.0.0.1", self._cache)
        self.keepers.append(keeper)
        veil = Veil()
        log = HostLog(self._logs, spec.origin, veil) if self._logs and spec.origin else None
        namespace_id = spec.origin.namespace_id if spec.origin else None
        host = RemoteHost(log, AskChannel(self._broker, namespace_id, veil), veil, keeper.close)
        self.hosts.append(host)
        folders = {spec.plugin_dir: self._deliver(spec.plugin_dir)} if self._is_far else {}
        try:
            address = keeper.address
            sockets, is_near = await enter(
                dataclasses.replace(address, path="/nowhere") if self._is_far else address, token
            )
            assert is_near is not self._is_far
            await host.connect(sockets, address.host)
            launched = await keeper.launch(Order(spec, self.grants.egress, True, timeout_s, folders))
            pid = 0 if self._is_far else launched.pid
            await host.begin(spec, pid, has_proxy=launched.has_proxy, timeout_s=timeout_s)
        except BaseException:
            await host.close()
            raise
        return host

    async def pytest(self, spec: HostSpec, *, timeout_s: float = TESTS_TIMEOUT_S) -> PytestResult:
        return await tests_of(await self.start(for_tests(spec)), timeout_s=timeout_s)

    async def close(self) -> None:
        await asyncio.gather(*(host.close() for host in self.hosts), *(keeper.close() for keeper in self.keepers))
        self._folder.cleanup()

    def _deliver(self, folder: Path) -> str:
        digest = digest_of(folder)
        if not self._cache.hold(digest):
            pieces = list(pieces_of(folder))
            for place, piece in enumerate(pieces):
                self._cache.take(digest, piece, is_last=place == len(pieces) - 1)
        return digest
