"""The trial of a version before it may answer: a host of its own, described, built and asked once.

What is asked, and whether the answers will do, `gate` decides.
"""

from __future__ import annotations

import dataclasses

from mixpeek.contract.manifest import Manifest
from mixpeek.contract.pipeline import ResourceType
from mixpeek.db.pool import Database
from mixpeek.deployments import gate
from mixpeek.deployments.failure import describe_failure
from mixpeek.deployments.hosting import host_spec
from mixpeek.errors import PluginError, PluginRaised, PluginReplyInvalid
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.needs import with_needs
from mixpeek.execution.port import HostSpec, LogOrigin, Step
from mixpeek.inspection.manifest import check_manifest
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry


class Trial:
    """Tries versions in hosts of their own; what is live is not touched."""

    def __init__(self, database: Database, registry: Registry, execution: BlockingExecution) -> None:
        self._database = database
        self._registry = registry
        self._execution = execution

    def run(self, version: PluginVersion, *, batch_only: bool, deployment_id: str) -> list[str]:
        """Return warnings; raise what forbids to deploy the version."""
        origin = LogOrigin(version.namespace_id, version.plugin_id, "gate", deployment_id)
        spec = host_spec(self._registry, version, origin)
        # Describing and building need neither network nor GPU; only what runs the plugin's own code further does.
        bare = dataclasses.replace(spec, network=False, gpu=False)
        host = self._execution.start(bare)
        try:
            manifest, steps = _check_declared(host, version)
            self._record_style(host, version)
            warnings = gate.warnings_of_unchecked(manifest)
            needed = with_needs(spec, ResourceType.CPU, steps)
            if batch_only:
                return warnings + self._execution.grants.foresee(needed)
            if needed == bare:
                return warnings + _probe(host, manifest)
        finally:
            host.close()
        return warnings + self._probe_with(needed, version, manifest)

    def _record_style(self, host: BlockingHost, version: PluginVersion) -> None:
        """Record how realtime.py wants to be called, if it could not be imported when the version was published."""
        style = host.describe().realtime if version.realtime_style is None else None
        if style is not None:
            with self._database.transaction() as connection:
                registry_queries.record_realtime_style(connection, version.namespace_id, version.plugin_id, style)

    def _probe_with(self, spec: HostSpec, version: PluginVersion, manifest: Manifest) -> list[str]:
        """Ask the handler in a host that has what it needs; raise EgressOff, NoGpu where that cannot be had."""
        _, warnings = self._execution.grants.decide(spec)
        host, _ = self._execution.start_built(spec, {}, version=version.version)
        try:
            return warnings + _probe(host, manifest)
        finally:
            host.close()


def _check_declared(host: BlockingHost, version: PluginVersion) -> tuple[Manifest, tuple[Step, ...]]:
    """Check a started host against its version; return manifest and steps, raise what forbids the switch."""
    manifest, _ = check_manifest(host.describe().manifest, None)
    if manifest is None:
        raise PluginReplyInvalid("The manifest no longer passes the checks it passed at confirm")
    differing = gate.manifests_differ(manifest.model_dump(mode="json"), version.parsed_manifest.model_dump(mode="json"))
    if differing:
        raise PluginReplyInvalid(f"The manifest differs from the confirmed one in {', '.join(differing)}")
    return manifest, host.build({}, version=version.version)


def _probe(host: BlockingHost, manifest: Manifest) -> list[str]:
    """Ask the handler once; return warnings, raise when its answer cannot be used."""
    probe = gate.probe_from_manifest(manifest)
    if probe is None:
        return ["No realtime probe: the plugin takes no text and its input schema has no `examples`"]
    try:
        reply = host.predict(probe.inputs, {})
    except PluginError as error:
        advice = gate.advice_on_missing_module(error.details.get("exception"), error.message)
        if advice is not None:
            raise PluginRaised(f"{error.message}. {advice}", **error.details) from error
        if not probe.synthetic or gate.is_missing_model(error.details.get("exception")):
            raise
        return [f"The handler refused a made-up input ({describe_failure(error)}); add `examples` to its input schema"]
    faults = gate.faults_of_reply(reply, manifest)
    if faults:
        raise PluginReplyInvalid("; ".join(faults))
    return []
