"""How a host of a published version is started: its files, environment, models and what it may use."""

from __future__ import annotations

from mixpeek.execution.needs import with_needs
from mixpeek.execution.port import HostSpec, LogOrigin, ModelMount
from mixpeek.registry.environments import prepare_environment
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry


def host_spec(registry: Registry, version: PluginVersion, origin: LogOrigin | None = None) -> HostSpec:
    """Return how to start a host for `version`, unpacking it and building its environment on first use.

    Args:
        origin: where its output is kept; None: as that of a realtime host of no deployment.
    """
    profile = version.parsed_manifest.compute_profile
    spec = HostSpec(
        plugin_dir=registry.unpacked(version),
        extra_paths=prepare_environment(registry, version).folders,
        name=version.package,
        uid=version.host_uid,
        memory_bytes=int(profile.actor_memory_gb * 1024**3),
        models=list_models(registry, version),
        label=f"{version.namespace_id}/{version.plugin_id}",
        origin=origin or LogOrigin(version.namespace_id, version.plugin_id, "realtime"),
    )
    return with_needs(spec, profile.resource_type)


def list_models(registry: Registry, version: PluginVersion) -> tuple[ModelMount, ...]:
    """Return the models a host of `version` may read, fetching those that are not in the cache."""
    return registry.models.fill(version.namespace_id, version.plugin_id, version.parsed_manifest.models)
