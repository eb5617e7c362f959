"""The hosts that answer realtime requests in this API process.

One host per live deployment and per green being started; others are started when asked for and stopped when idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from mixpeek.db import processes
from mixpeek.db.pool import Database
from mixpeek.deployments import queries
from mixpeek.deployments.rollout import describe_failure, host_spec
from mixpeek.errors import MixpeekError
from mixpeek.execution.needs import start_built
from mixpeek.execution.port import CALL_TIMEOUT_S, START_TIMEOUT_S, Execution, Host
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry

log = logging.getLogger(__name__)
RECONCILE_S = 2.0
_PREPARING_AT_ONCE = 8

Key = tuple[str, str]  # (namespace id, plugin id)


class Replica:
    """A running host, when it last answered, and whether it is answering now."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.used_at = time.monotonic()
        self.idle = asyncio.Event()
        self.idle.set()
        self._in_flight = 0

    @contextlib.contextmanager
    def answering(self) -> Iterator[Host]:
        """Count one request for as long as it lasts."""
        self._in_flight += 1
        self.idle.clear()
        try:
            yield self.host
        finally:
            self._in_flight -= 1
            self.used_at = time.monotonic()
            if not self._in_flight:
                self.idle.set()


class Replicas:
    """Keeps hosts as the database wants them, and sends requests to them."""

    def __init__(
        self, database: Database, registry: Registry, execution: Execution, process_id: str, idle_s: float
    ) -> None:
        self._database = database
        self._registry = registry
        self._execution = execution
        self._process_id = process_id
        self._idle_s = idle_s
        self._deployed: dict[str, Replica] = {}  # by deployment id
        self._live: dict[Key, str] = {}  # which deployment answers for a version
        self._on_demand: dict[Key, Replica] = {}
        self._starting: dict[Key, asyncio.Lock] = {}
        self._draining: set[asyncio.Task[None]] = set()
        self._beginning: dict[str, asyncio.Task[None]] = {}
        # Building an environment may take minutes; heartbeats must not queue behind that.
        self._preparing = ThreadPoolExecutor(_PREPARING_AT_ONCE, thread_name_prefix="preparing")
        self.wake = asyncio.Event()

    async def predict(
        self, version: PluginVersion, inputs: dict[str, Any], parameters: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the plugin's answer to one request; raises PluginError."""
        limit = _limit(version, "timeout_s", CALL_TIMEOUT_S)
        return await self._with_replica(version, lambda host: host.predict(inputs, parameters, timeout_s=limit))

    async def run_forever(self) -> None:
        """Follow the database until cancelled, then stop every host."""
        beating = asyncio.create_task(self._beat_forever())
        try:
            while True:
                try:
                    await self._reconcile()
                except MixpeekError as error:
                    log.warning("replicas could not be reconciled, trying again: %s", error.message)
                except Exception:
                    # The edge of a loop that must not end: a lost connection is met again at the next turn.
                    log.exception("replicas could not be reconciled, trying again")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), RECONCILE_S)
                self.wake.clear()
        finally:
            beating.cancel()
            await self._stop_beginning()
            hosts = [*self._deployed.values(), *self._on_demand.values()]
            await asyncio.gather(*(replica.host.close() for replica in hosts), return_exceptions=True)

    async def _stop_beginning(self) -> None:
        tasks = list(self._beginning.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._preparing.shutdown(wait=False, cancel_futures=True)

    def describe(self) -> dict[str, int]:
        return {"deployed": len(self._deployed), "on_demand": len(self._on_demand)}

    async def _with_replica(
        self, version: PluginVersion, call: Callable[[Host], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        replica = await self._find(version)
        try:
            with replica.answering() as host:
                return await call(host)
        finally:
            if not replica.host.alive:
                self.wake.set()

    async def _find(self, version: PluginVersion) -> Replica:
        key = (version.namespace_id, version.plugin_id)
        replica = self._deployed.get(self._live.get(key, ""))
        if replica is not None and replica.host.alive:
            return replica
        async with self._starting.setdefault(key, asyncio.Lock()):
            replica = self._on_demand.get(key)
            if replica is None or not replica.host.alive:
                replica = self._on_demand[key] = await self._start(version)
        return replica

    async def _start(self, version: PluginVersion) -> Replica:
        loop = asyncio.get_running_loop()
        spec = await loop.run_in_executor(self._preparing, host_spec, self._registry, version)
        limit = _limit(version, "start_timeout_s", START_TIMEOUT_S)
        started = await start_built(self._execution, spec, {}, version=version.version, timeout_s=limit)
        try:
            await started.host.warmup(timeout_s=limit)
        except MixpeekError:
            await started.host.close()
            raise
        return Replica(started.host)

    async def _reconcile(self) -> None:
        wanted = await asyncio.to_thread(self._list_wanted)
        self._live = {(w["namespace_id"], w["plugin_id"]): w["deployment_id"] for w in wanted if w["live"]}
        for missing in [w for w in wanted if not self._is_running(w["deployment_id"])]:
            self._begin(missing)
        ids = {w["deployment_id"] for w in wanted}
        for deployment_id in [known for known in self._deployed if known not in ids]:
            self._drain(self._deployed.pop(deployment_id))
        now = time.monotonic()
        for key, replica in list(self._on_demand.items()):
            idle = replica.idle.is_set() and now - replica.used_at > self._idle_s
            if idle or not replica.host.alive:
                self._drain(self._on_demand.pop(key))

    def _is_running(self, deployment_id: str) -> bool:
        replica = self._deployed.get(deployment_id)
        return replica is not None and replica.host.alive

    def _begin(self, wanted: dict[str, Any]) -> None:
        """Start a deployment's host beside the others: one that takes long must not keep them waiting."""
        deployment_id = wanted["deployment_id"]
        if deployment_id in self._beginning:
            return

        def ended(task: asyncio.Task[None]) -> None:
            del self._beginning[deployment_id]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("deployment %s could not be started, trying again: %s", deployment_id, error)

        task = asyncio.create_task(self._start_deployment(wanted))
        self._beginning[deployment_id] = task
        task.add_done_callback(ended)

    async def _start_deployment(self, wanted: dict[str, Any]) -> None:
        error: str | None = None
        code_hash: str | None = None
        try:
            version = await asyncio.to_thread(self._load, wanted["namespace_id"], wanted["plugin_id"])
            self._deployed[wanted["deployment_id"]] = await self._start(version)
            code_hash = version.code_hash  # the files of a host were checked against it when they were unpacked
        except MixpeekError as raised:
            error = describe_failure(raised)
            log.warning("no host for deployment %s: %s", wanted["deployment_id"], error)
        except Exception as raised:  # a full disk, say: one deployment must not keep the others from their hosts
            error = f"{type(raised).__name__}: {raised}"
            log.exception("no host for deployment %s", wanted["deployment_id"])
        await asyncio.to_thread(self._report, wanted["deployment_id"], code_hash, error)

    def _drain(self, replica: Replica) -> None:
        """Close a host once the requests it is answering are done."""

        async def close_when_done() -> None:
            await replica.idle.wait()
            await replica.host.close()

        task = asyncio.create_task(close_when_done())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _beat_forever(self) -> None:
        """Say that this process lives, on its own clock: a host may start for longer than a heartbeat may be old."""
        while True:
            try:
                await asyncio.to_thread(self._beat)
            except psycopg.Error as error:
                log.warning("no heartbeat, trying again: %s", error)
            await asyncio.sleep(RECONCILE_S)

    def _beat(self) -> None:
        with self._database.transaction() as connection:
            processes.beat(connection, self._process_id, "api")

    def _list_wanted(self) -> list[dict[str, Any]]:
        with self._database.transaction() as connection:
            return queries.list_wanted(connection)

    def _load(self, namespace_id: str, plugin_id: str) -> PluginVersion:
        with self._database.transaction() as connection:
            return self._registry.get(connection, namespace_id, plugin_id)

    def _report(self, deployment_id: str, code_hash: str | None, error: str | None) -> None:
        with self._database.transaction() as connection:
            queries.report_replica(connection, deployment_id, self._process_id, code_hash, error)


def _limit(version: PluginVersion, name: str, default_s: float) -> float:
    """Return a limit that the manifest's `serve_config` sets, in seconds; it was checked at confirm."""
    limit = (version.manifest.get("serve_config") or {}).get(name)
    return float(limit) if limit else default_s
