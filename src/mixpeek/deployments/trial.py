"""The trial of a version before it may answer: described, built, warmed up and asked once, through realtime and batch.

Each path has a host of its own, with the memory and the limits it will really have. What is asked `probe` chooses,
whether the answers will do `gate` decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixpeek.contract.columns import DATA, SYSTEM_COLUMNS
from mixpeek.contract.manifest import Manifest
from mixpeek.contract.pipeline import ResourceType
from mixpeek.db.pool import Database
from mixpeek.deployments import gate
from mixpeek.deployments.hosting import host_spec
from mixpeek.deployments.probe import Probe, choose_probe
from mixpeek.deployments.serve_plan import ServePlan, plan_from_manifest
from mixpeek.errors import (
    HostLost,
    InvalidRequest,
    NoRoom,
    PluginError,
    PluginRaised,
    PluginReplyInvalid,
    ServiceUnavailable,
)
from mixpeek.examination.samples import frame_of
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.needs import start_built, with_needs
from mixpeek.execution.port import CALL_TIMEOUT_S, DESCRIBE_TIMEOUT_S, Host, HostSpec, LogOrigin, Step
from mixpeek.inspection.manifest import check_manifest
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry

log = logging.getLogger(__name__)

# Machines that are lost one after another under the same version; then it may be the version. A cluster goes on placing
# hosts on a lost machine until it has noticed, 15 s or more; the pause before another attempt doubles.
MOST_LOST = 5
_AGAIN_S = 1.0
# What immutable code made of a probe, kept so that a redeploy or a rollback need not have it made again.
_MOST_KNOWN = 256
_MOST_KNOWN_CHARACTERS = 64 * 1024


@dataclass
class _Heard:
    """What one path answered, None if it refused, and what is to be said about it."""

    answer: Any = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Tried:
    """How a trial went: warnings, a line about it, and the style of realtime.py's handler."""

    warnings: list[str]
    summary: str
    style: str | None


@dataclass(frozen=True)
class _Case:
    """One version on trial; `realtime` and `batch` say how a host of each path is started."""

    version: PluginVersion
    manifest: Manifest
    plan: ServePlan
    realtime: HostSpec
    batch: HostSpec
    steps: tuple[Step, ...] = ()
    style: str | None = None

    @property
    def build_s(self) -> float:
        return max(DESCRIBE_TIMEOUT_S, self.plan.timeout_s)

    @property
    def run_s(self) -> float:
        """The first call of a processor makes it, and loads its model."""
        return self.plan.start_timeout_s + (self.manifest.compute_profile.timeout_s or CALL_TIMEOUT_S)


class Trial:
    """Tries versions in hosts of their own; what is live is not touched."""

    def __init__(self, database: Database, registry: Registry, execution: BlockingExecution) -> None:
        self._database = database
        self._registry = registry
        self._execution = execution
        self._known: OrderedDict[str, str] = OrderedDict()

    def run(
        self,
        version: PluginVersion,
        *,
        batch_only: bool,
        deployment_id: str,
        note: Callable[[str], None] = lambda _: None,
    ) -> list[str]:
        """Return warnings; raise what forbids to deploy the version.

        Args:
            note: told how it went, in a line.
        """
        manifest = version.parsed_manifest
        origin = LogOrigin(version.namespace_id, version.plugin_id, "gate", deployment_id)
        plan = plan_from_manifest(manifest, idle_s=0)
        spec = host_spec(self._registry, version, origin)
        memory_bytes = spec.memory_bytes if batch_only else plan.memory_bytes
        case = _Case(version, manifest, plan, dataclasses.replace(spec, memory_bytes=memory_bytes), spec)
        tried = self._try_despite_losses(case, batch_only=batch_only)
        self._record_style(version, tried.style)
        note(tried.summary)
        return tried.warnings

    def _try_despite_losses(self, case: _Case, *, batch_only: bool) -> _Tried:
        """Try a version; from the beginning, in other hosts, if a machine is lost or the cluster cannot be reached.

        Neither says anything of the version. A cluster that has no room is asked once, as the wait for it was long,
        unless it has just lost a machine: for a while it goes on counting that one in.
        """
        was_lost = False
        for attempt in itertools.count(1):
            try:
                return self._execution.call(self._try(case, batch_only=batch_only))
            except (HostLost, ServiceUnavailable) as error:
                if attempt == MOST_LOST or (isinstance(error, NoRoom) and not was_lost):
                    raise
                was_lost = was_lost or isinstance(error, HostLost)
                log.warning("version %s is tried again: %s", case.version.plugin_id, error.message)
                time.sleep(_AGAIN_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _record_style(self, version: PluginVersion, style: str | None) -> None:
        """Record how realtime.py wants to be called, if it could not be imported when the version was published."""
        if version.realtime_style is None and style is not None:
            with self._database.transaction() as connection:
                registry_queries.record_realtime_style(connection, version.namespace_id, version.plugin_id, style)

    async def _try(self, case: _Case, *, batch_only: bool) -> _Tried:
        # Describing and building need neither network nor GPU; only what runs the plugin's own code further does.
        bare = dataclasses.replace(case.realtime, network=False, gpu=False)
        async with self._started(bare, case) as host:
            case = await _declared(host, case)
            if batch_only:
                return _Tried(self._execution.grants.foresee(case.realtime), "Described and built", case.style)
            if case.realtime == bare:
                return await self._ask(host, case)
        # Raises EgressOff, NoGpu where what it needs cannot be had.
        _, granted = self._execution.grants.decide(case.realtime)
        async with self._built(case.realtime, case) as host:
            tried = await self._ask(host, case)
        return dataclasses.replace(tried, warnings=granted + tried.warnings)

    async def _ask(self, host: Host, case: _Case) -> _Tried:
        probe, warnings = await asyncio.to_thread(choose_probe, case.manifest, case.realtime.plugin_dir)
        if probe is None:
            await host.warmup(batch_size=case.plan.batch_size, timeout_s=case.plan.start_timeout_s)
            return _Tried(warnings, "Started; not asked", case.style)
        one, other = await self._ask_both(host, case, probe)
        found = {}
        if one.answer is not None and other.answer is not None:
            found = gate.cosines(one.answer, other.answer, case.manifest)
        differing = gate.judge_parity(found, case.manifest, probe)
        alike = "".join(f"; cosine {likeness:.4f} in {name}" for name, likeness in found.items())
        uncompared = gate.warnings_of_uncompared(found, case.manifest)
        said = warnings + one.warnings + other.warnings + differing + uncompared
        return _Tried(said, f"Asked with {probe.origin}{alike}", case.style)

    async def _ask_both(self, host: Host, case: _Case, probe: Probe) -> tuple[_Heard, _Heard]:
        if case.style is None:  # its pipeline answers realtime too: the same processors, in the same host
            return await _ask_realtime(host, case, probe), await _ask_batch(host, case, probe)
        if not gate.may_run_beside(case.realtime, case.batch, await asyncio.to_thread(_available_bytes)):
            one = await _ask_realtime(host, case, probe)
            await host.close()
            return one, await self._ask_batch_apart(case, probe)
        batch = asyncio.create_task(self._ask_batch_apart(case, probe))
        try:
            return await _ask_realtime(host, case, probe), await batch
        finally:
            batch.cancel()
            await asyncio.gather(batch, return_exceptions=True)

    async def _ask_batch_apart(self, case: _Case, probe: Probe) -> _Heard:
        key = _identity(case, probe)
        if key in self._known:
            self._known.move_to_end(key)
            return _Heard(json.loads(self._known[key]))
        async with self._built(case.batch, case) as host:
            heard = await _ask_batch(host, case, probe)
        if not heard.warnings and not case.batch.network:
            self._remember(key, {name: heard.answer.get(name) for name in _feature_names(case.manifest)})
        return heard

    def _remember(self, key: str, columns: dict[str, Any]) -> None:
        text = json.dumps(columns)
        if len(text) <= _MOST_KNOWN_CHARACTERS:
            self._known[key] = text
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    @contextlib.asynccontextmanager
    async def _started(self, spec: HostSpec, case: _Case) -> AsyncIterator[Host]:
        host = await self._execution.execution.start(spec, timeout_s=case.plan.start_timeout_s)
        try:
            yield host
        finally:
            await host.close()

    @contextlib.asynccontextmanager
    async def _built(self, spec: HostSpec, case: _Case) -> AsyncIterator[Host]:
        limits = {"timeout_s": case.plan.start_timeout_s, "build_timeout_s": case.build_s}
        started = await start_built(self._execution.execution, spec, {}, version=case.version.version, **limits)
        try:
            yield started.host
        finally:
            await started.host.close()


async def _declared(host: Host, case: _Case) -> _Case:
    """Check a started host against its version; return the case with what it needs, raise what forbids the switch."""
    description = await host.describe()
    manifest, _ = await asyncio.to_thread(check_manifest, description.manifest, None)
    if manifest is None:
        raise PluginReplyInvalid("The manifest no longer passes the checks it passed at confirm")
    differing = gate.manifests_differ(manifest.model_dump(mode="json"), case.manifest.model_dump(mode="json"))
    if differing:
        raise PluginReplyInvalid(f"The manifest differs from the confirmed one in {', '.join(differing)}")
    steps = await host.build({}, version=case.version.version, timeout_s=case.build_s)
    return dataclasses.replace(
        case,
        realtime=with_needs(case.realtime, ResourceType.CPU, steps),
        batch=with_needs(case.batch, ResourceType.CPU, steps),
        steps=steps,
        style=description.realtime,
    )


async def _ask_realtime(host: Host, case: _Case, probe: Probe) -> _Heard:
    """Warm the host up and ask its handler; raise what it may not do."""
    await host.warmup(batch_size=case.plan.batch_size, timeout_s=case.plan.start_timeout_s)
    try:
        reply = await host.predict(probe.inputs, {}, timeout_s=case.plan.timeout_s)
    except PluginError as error:
        return _refused(error, probe, "The handler" if case.style else "The pipeline, asked for one row,")
    faults = gate.faults_of_reply(reply, case.manifest)
    if faults:
        raise PluginReplyInvalid("; ".join(faults))
    return _Heard(reply)


async def _ask_batch(host: Host, case: _Case, probe: Probe) -> _Heard:
    """Run the probe's row through the pipeline; raise what it may not do."""
    if not gate.takes(case.steps, probe):
        return _Heard(None, [f"Batch was not probed: no enabled step takes {probe.mime_type}"])
    try:
        table = await asyncio.to_thread(frame_of, [probe.row], case.manifest)
    except InvalidRequest as unusable:
        return _Heard(None, [f"Batch was not probed with {probe.origin}: {unusable.message}"])
    try:
        made = await host.run(table, explodes=case.manifest.explodes, timeout_s=case.run_s)
    except PluginError as error:
        return _refused(error, probe, "The pipeline")
    if made.num_rows == 0:
        return _Heard(None, [f"Batch made no part of {probe.origin}, so nothing of it was checked"])
    names = [name for name in made.column_names if name not in (DATA, *SYSTEM_COLUMNS)]
    columns = {name: made.column(name).to_pylist()[0] for name in names}
    faults, lacking = gate.faults_of_columns(columns, case.manifest), gate.lacks_of_columns(columns, case.manifest)
    if faults or (lacking and not probe.synthetic):
        raise PluginReplyInvalid("; ".join([*faults, *lacking]))
    if made.num_rows > 1:  # the vector of one of several parts need not be that of the whole
        columns = {name: value for name, value in columns.items() if name not in _feature_names(case.manifest)}
    return _Heard(columns, [line[:1].upper() + line[1:] for line in lacking])


def _refused(error: PluginError, probe: Probe, path: str) -> _Heard:
    advice = gate.advice_on_missing_module(error.details.get("exception"), error.message)
    if advice is not None:
        raise PluginRaised(f"{error.message}. {advice}", **error.details) from error
    warning = gate.warning_of_refusal(error, probe, path)
    if warning is None:
        raise error
    return _Heard(None, [warning])


def _identity(case: _Case, probe: Probe) -> str:
    """Return what decides the pipeline's answer: the code, what it runs with, and the question."""
    mounts = [(mount.key, str(mount.path)) for mount in case.batch.models]
    packages = [str(path) for path in case.batch.extra_paths]
    return json.dumps([case.version.code_hash, case.batch.memory_bytes, packages, mounts, probe.row], sort_keys=True)


def _feature_names(manifest: Manifest) -> list[str]:
    return [feature.feature_name for feature in manifest.embeddings]


def _available_bytes() -> int:
    """Return how much memory is free on this machine, 0 where that cannot be read."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return 0
