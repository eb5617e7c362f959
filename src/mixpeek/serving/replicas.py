"""Which versions have replicas in this API process, kept as the database wants them.

A set of replicas for every live deployment and for every green being started; for other versions on demand, stopped
when idle. How a set answers is `replica_set`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.versions import normalise_version
from mixpeek.db import processes
from mixpeek.db.pool import Connection, Database
from mixpeek.deployments import queries
from mixpeek.deployments.failure import failure_from
from mixpeek.deployments.hosting import host_spec
from mixpeek.deployments.models import Role
from mixpeek.deployments.serve_plan import ServePlan, plan_from_manifest
from mixpeek.errors import InvalidRequest, MixpeekError, NotFound, PlatformError
from mixpeek.execution.needs import start_built
from mixpeek.execution.port import DESCRIBE_TIMEOUT_S, Execution, LogOrigin
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.serving.errors import NotDeployed
from mixpeek.serving.replica import Answer, Request, Served
from mixpeek.serving.replica_set import ReplicaSet, Started
from mixpeek.serving.routing import Route, RouteTable, Wanted
from mixpeek.serving.shadowing import Shadowing
from mixpeek.serving.tally import Source, Tally

log = logging.getLogger(__name__)
RECONCILE_S = 2.0
TICK_S = 0.2
_PREPARING_AT_ONCE = 8
# Hosts that start side by side. All at once after a restart, each would be so slow that none is ready in its time.
STARTING_AT_ONCE = max(4, 2 * (os.cpu_count() or 1))

Key = tuple[str, str]  # (namespace id, plugin id)
# Tells whether a version, by the namespace that owns it and its plugin id, is needed without being live.
IsUsed = Callable[[Connection, str, str], bool]


class Replicas:
    """Keeps replica sets as the database wants them, and finds the one that answers a request."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        execution: Execution,
        process_id: str,
        idle_s: float,
        *,
        is_used: IsUsed,
        request_class: type[Request] = Request,
        cores: int | None = None,
    ) -> None:
        self._cores = cores  # that replicas may share; None is those of this machine
        self._database = database
        self._is_used = is_used
        self._registry = registry
        self._execution = execution
        self._process_id = process_id
        self._idle_s = idle_s
        self._request_class = request_class
        self.table = RouteTable()
        self._deployed: dict[str, ReplicaSet] = {}  # by deployment id
        self._on_demand: dict[Key, ReplicaSet] = {}
        self._draining: dict[ReplicaSet, asyncio.Task[None]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._reconciled = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shadowing = Shadowing(database, process_id)
        # Building an environment may take minutes; heartbeats must not queue behind that.
        self._preparing = ThreadPoolExecutor(_PREPARING_AT_ONCE, thread_name_prefix="preparing")
        self._starting = asyncio.Semaphore(STARTING_AT_ONCE)
        self.wake = asyncio.Event()

    async def ask(
        self,
        version: PluginVersion,
        inputs: dict[str, Any],
        parameters: dict[str, Any],
        *,
        urgent: bool = False,
        source: Source = "test",
    ) -> Answer:
        """Return one version's answer to one request, wherever it is deployed; see `ReplicaSet.submit`."""
        return await self.ask_set(self._set_for(version), inputs, parameters, urgent=urgent, source=source)

    async def ask_set(
        self,
        asked: ReplicaSet,
        inputs: dict[str, Any],
        parameters: dict[str, Any],
        *,
        urgent: bool = False,
        source: Source = "test",
    ) -> Answer:
        """Return the answer of a set, as `locate` found it, to one request."""
        try:
            body = json.dumps({"inputs": inputs, "parameters": parameters}, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"The inputs are not strict JSON: {error}") from error
        requests, began = asked.tally.requests(source), time.perf_counter()
        try:
            answer = await asked.submit(body, urgent=urgent)
        except MixpeekError as error:
            requests.note(error.status, time.perf_counter() - began, 0)
            raise
        requests.note(200, time.perf_counter() - began, answer.batch)
        return answer

    async def locate(self, namespace_id: str, wanted: Wanted) -> ReplicaSet:
        """Return the set that answers for a name, or for one version of it, asking the database.

        For what `table` does not know: a version that is not live is started on demand while its name is live, or
        while it is used otherwise, as by a collection that was made with it.

        Raises: NotFound: no such plugin. NotDeployed: nothing of this name is live. InvalidRequest: no version number.
        """
        version, live_id, is_used = await asyncio.to_thread(self._look_up, namespace_id, wanted)
        if version is None:
            shown = wanted.name if wanted.version is None else f"{wanted.name}@{wanted.version}"
            raise NotFound("plugin", shown, hint="`mixpeek plugin list` shows what this namespace has")
        if live_id is None and not is_used:
            raise NotDeployed(f"{version.name} is not deployed")
        if live_id != version.plugin_id:
            return self._set_for(version)
        route = await self._route_soon((namespace_id, version.plugin_id))
        return self._set_for(version) if route is None else route.pick()

    async def _route_soon(self, key: Key) -> Route | None:
        """Return the route of a version that is live.

        Not in our table yet, the next reconciliation puts it there; its replicas may still be starting.
        """
        for _ in range(2):
            route = self.table.by_plugin.get(key)
            if route is not None:
                return route
            self._reconciled.clear()
            self.wake.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reconciled.wait(), RECONCILE_S)
        return None

    def follow(self, namespace_id: str, plugin_id: str) -> None:
        """Return once this process routes requests to a version that is live: who is told so may ask for it at once.

        Use from any thread but the loop's.
        """
        if self._loop is not None and (namespace_id, plugin_id) not in self.table.by_plugin:
            soon = asyncio.run_coroutine_threadsafe(self._route_soon((namespace_id, plugin_id)), self._loop)
            try:
                is_routed = soon.result(timeout=3 * RECONCILE_S) is not None
            except TimeoutError:
                is_routed = False
            if not is_routed:
                log.warning("%s of %s is live, and this process does not route to it yet", plugin_id, namespace_id)

    async def run_forever(self) -> None:
        """Follow the database until cancelled, then stop every host."""
        self._loop = asyncio.get_running_loop()
        forever = (self._beat_forever(), self._tick_forever(), self._shadowing.flush_forever())
        helpers = [asyncio.create_task(each) for each in forever]
        try:
            while True:
                try:
                    await self.reconcile()
                except MixpeekError as error:
                    log.warning("replicas could not be reconciled, trying again: %s", error.message)
                except Exception:
                    # The edge of a loop that must not end: a lost connection is met again at the next turn.
                    log.exception("replicas could not be reconciled, trying again")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), RECONCILE_S)
                self.wake.clear()
        finally:
            for task in (*helpers, *self._opening, *self._draining.values()):
                task.cancel()
            sets = {*self._deployed.values(), *self._on_demand.values(), *self._draining}
            await asyncio.gather(*(each.close() for each in sets), return_exceptions=True)
            await self._shadowing.flush()
            self._preparing.shutdown(wait=False, cancel_futures=True)

    def describe(self) -> dict[str, int]:
        return {"deployed": len(self._deployed), "on_demand": len(self._on_demand)}

    def sets(self) -> list[ReplicaSet]:
        """Return every set of this process, those that only finish what they have taken included."""
        return [*self._deployed.values(), *self._on_demand.values(), *self._draining]

    def status_of(self, namespace_id: str, plugin_id: str) -> dict[str, Any] | None:
        """Return how the replicas of one version stand in this process, None if it has none."""
        route = self.table.by_plugin.get((namespace_id, plugin_id))
        found = route.pick() if route else self._on_demand.get((namespace_id, plugin_id))
        return None if found is None else found.describe()

    def _set_for(self, version: PluginVersion) -> ReplicaSet:
        key = (version.namespace_id, version.plugin_id)
        route = self.table.by_plugin.get(key)
        if route is not None:
            return route.pick()
        if key not in self._on_demand:
            self._on_demand[key] = self._make_set(version, on_demand=True)
        return self._on_demand[key]

    def _make_set(
        self, version: PluginVersion, deployment_id: str | None = None, *, on_demand: bool = False
    ) -> ReplicaSet:
        plan = plan_from_manifest(version.parsed_manifest, idle_s=self._idle_s, cores=self._cores)
        if on_demand:
            plan = dataclasses.replace(plan, initial=1, fewest=0, most=1)
        origin = LogOrigin(version.namespace_id, version.plugin_id, "realtime", deployment_id)
        return ReplicaSet(
            served_from(version),
            plan,
            lambda: self._start(version, plan, origin),
            on_demand=on_demand,
            tally=self._tally_of((version.namespace_id, version.plugin_id)),
            request_class=self._request_class,
        )

    def _tally_of(self, key: Key) -> Tally:
        """Return what is counted of a version already, a fresh tally for one that has no set."""
        tallies = (each.tally for each in self.sets() if (each.served.namespace_id, each.served.plugin_id) == key)
        return next(tallies, None) or Tally()

    async def _start(self, version: PluginVersion, plan: ServePlan, origin: LogOrigin) -> Started:
        loop = asyncio.get_running_loop()
        spec = await loop.run_in_executor(self._preparing, host_spec, self._registry, version, origin)
        # Its time limits begin with its turn.
        async with self._starting:
            built = await start_built(
                self._execution,
                dataclasses.replace(
                    spec, memory_bytes=plan.memory_bytes, background=False, cpus=plan.cpus, gpus=plan.gpus
                ),
                {},
                version=version.version,
                timeout_s=plan.start_timeout_s,
                build_timeout_s=max(DESCRIBE_TIMEOUT_S, plan.timeout_s),  # as `scaling.start_limit_s` counts it
            )
            try:
                size = await built.host.warmup(batch_size=plan.batch_size, timeout_s=plan.start_timeout_s)
            except BaseException:
                await built.host.close()
                raise
        return Started(built.host, size)

    async def reconcile(self) -> None:
        """Open and drain sets until they are those that the database wants, once."""
        wanted = await asyncio.to_thread(self._list_wanted)
        missing = [each for each in wanted if each["deployment_id"] not in self._deployed]
        versions = await asyncio.to_thread(self._load, missing) if missing else []
        for each, version in zip(missing, versions, strict=True):
            if version is not None:  # else it was deleted meanwhile, and its deployment with it
                await self._add(each["deployment_id"], version)
        # New requests go to the new sets from here on; what the old ones have taken, they finish.
        self.table = self._table_of(wanted)
        ids = {each["deployment_id"] for each in wanted}
        for deployment_id in [known for known in self._deployed if known not in ids]:
            self._drain(self._deployed.pop(deployment_id))
        self._shadowing.keep(ids)
        self._reconciled.set()

    async def _add(self, deployment_id: str, version: PluginVersion) -> None:
        try:
            made = self._make_set(version, deployment_id)
        except Exception as error:  # a manifest that this program does not read, or cannot serve; the others go on
            log.warning("no hosts for deployment %s: %s: %s", deployment_id, type(error).__name__, error)
            unreadable = failure_from(PlatformError(f"Its manifest cannot be read: {error}"))
            await asyncio.to_thread(self._report, deployment_id, None, unreadable)
        else:
            self._deployed[deployment_id] = made
            self._open(deployment_id, made, version.code_hash)

    def _table_of(self, wanted: list[dict[str, Any]]) -> RouteTable:
        table = RouteTable()
        by_name: dict[Key, dict[str, tuple[ReplicaSet, dict[str, Any]]]] = {}
        for each in wanted:
            answering = self._deployed.get(each["deployment_id"])
            if each["role"] is not None and answering is not None:
                table.by_plugin[each["namespace_id"], each["plugin_id"]] = Route(((answering, 1.0),))
                by_name.setdefault((each["namespace_id"], each["name"]), {})[each["role"]] = (answering, each)
        for key, sharing in by_name.items():
            # Without its stable version a name is not live; it has just been deleted.
            if Role.STABLE in sharing:
                table.by_name[key] = self._route_of(sharing)
        return table

    def _route_of(self, sharing: dict[str, tuple[ReplicaSet, dict[str, Any]]]) -> Route:
        """Return how the requests of a name are shared among its versions, given by their roles."""
        stable, its = sharing[Role.STABLE]
        if Role.CANARY in sharing:
            canary, other = sharing[Role.CANARY]
            return Route(((stable, float(its["traffic"])), (canary, float(other["traffic"]))))
        if Role.SHADOW in sharing:
            shadow, other = sharing[Role.SHADOW]
            served = stable.served
            tap = self._shadowing.mirror_for(other["deployment_id"], shadow, served.embeddings, served.plugin_id)
            return Route(((stable, 1.0),), tap)
        return Route(((stable, 1.0),))

    def _open(self, deployment_id: str, opened: ReplicaSet, code_hash: str) -> None:
        """Start a set's first replicas and report how that went."""

        async def open_and_report() -> None:
            failure: dict[str, Any] | None = None
            try:
                await opened.open()
            except Exception as raised:  # a full disk, say: it is the rollout's to know
                failure = failure_from(raised)
                log.warning("no host for deployment %s: %s", deployment_id, failure["message"])
            # The files of a host were checked against the code hash when they were unpacked.
            report = functools.partial(self._report, deployment_id, None if failure else code_hash, failure)
            while self._deployed.get(deployment_id) is opened:  # a rollout may wait for it
                try:
                    await asyncio.to_thread(report)
                except psycopg.Error as raised:
                    log.warning("what became of deployment %s could not be recorded: %s", deployment_id, raised)
                    await asyncio.sleep(RECONCILE_S)
                else:
                    return

        task = asyncio.create_task(open_and_report())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _drain(self, leaving: ReplicaSet) -> None:
        task = asyncio.create_task(leaving.drain())
        self._draining[leaving] = task
        task.add_done_callback(lambda _: self._draining.pop(leaving, None))

    async def _tick_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for each in (*self._deployed.values(), *self._on_demand.values(), *self._draining):
                try:
                    each.tick(now)
                except Exception:
                    # The edge of a loop that must not end: the other sets are tended all the same.
                    log.exception("the replicas of %s could not be tended", each.served.plugin_id)
            for key, each in list(self._on_demand.items()):
                if each.idle_s(now) > self._idle_s:
                    self._drain(self._on_demand.pop(key))
            await asyncio.sleep(TICK_S)

    async def _beat_forever(self) -> None:
        """Say that this process lives, on its own clock: a host may start for longer than a heartbeat may be old."""
        while True:
            try:
                await asyncio.to_thread(self.beat)
            except psycopg.Error as error:
                log.warning("no heartbeat, trying again: %s", error)
            await asyncio.sleep(RECONCILE_S)

    def beat(self) -> None:
        """Record that this process lives."""
        with self._database.transaction() as connection:
            processes.beat(connection, self._process_id, "api")

    def _list_wanted(self) -> list[dict[str, Any]]:
        with self._database.transaction() as connection:
            return queries.list_wanted(connection)

    def _load(self, wanted: list[dict[str, Any]]) -> list[PluginVersion | None]:
        with self._database.transaction() as connection:
            return [
                registry_queries.find_version(connection, each["namespace_id"], each["plugin_id"]) for each in wanted
            ]

    def _look_up(self, namespace_id: str, wanted: Wanted) -> tuple[PluginVersion | None, str | None, bool]:
        """Return the version that is named, or the live one of a name without a version; then the live one's plugin id.

        And whether a version that was named itself is used though nothing of its name is live.
        """
        number = _number(wanted.version)
        with self._database.transaction() as connection:
            version = None
            if number is None:
                version = registry_queries.find_version(connection, namespace_id, wanted.name)
            if version is None:
                version = registry_queries.find_version_by_name(connection, namespace_id, wanted.name, number)
            live = queries.find_live(connection, namespace_id, version.name if version else wanted.name)
            live_id = live["plugin_id"] if live else None
            follows = number is None and (version is None or version.plugin_id != wanted.name)
            if follows and live_id is not None:
                version = registry_queries.find_version(connection, namespace_id, live_id)
            is_used = (
                version is not None
                and live_id is None
                and not follows
                and self._is_used(connection, version.namespace_id, version.plugin_id)
            )
        return version, live_id, is_used

    def _report(self, deployment_id: str, code_hash: str | None, failure: dict[str, Any] | None) -> None:
        with self._database.transaction() as connection:
            processes.beat(connection, self._process_id, "api")  # who reports is alive, and must be known to be
            queries.report_replica(connection, deployment_id, self._process_id, code_hash, failure)


def served_from(version: PluginVersion) -> Served:
    """Return what the answers of a version say about themselves."""
    names = [feature.feature_name for feature in version.parsed_manifest.features]
    return Served(
        version.namespace_id,
        version.plugin_id,
        version.name,
        version.version,
        version.code_hash,
        version.feature_uri,
        {name: str(FeatureUri(version.name, version.version, name)) for name in names},
        tuple(version.parsed_manifest.embeddings),
    )


def _number(version: str | None) -> str | None:
    if version is None:
        return None
    try:
        return normalise_version(version)
    except ValueError as error:
        raise InvalidRequest(str(error), hint="Write versions as 1.2.3 (or v1, 1.2)") from error
