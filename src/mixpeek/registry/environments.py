"""The environment of a version: built on first use, and recorded so that it stays the same."""

from __future__ import annotations

import logging

from mixpeek.execution.environments.lock import Lock
from mixpeek.execution.environments.store import Prepared
from mixpeek.registry import queries
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.tenancy.models import BUILTIN_NAMESPACE

log = logging.getLogger(__name__)


def prepare_environment(registry: Registry, version: PluginVersion) -> Prepared:
    """Return what hosts of `version` import its dependencies from, building it where it is not there.

    Raises: DependenciesRefused, EnvironmentUnavailable.
    """
    dependencies = version.parsed_manifest.dependencies
    if version.namespace_id == BUILTIN_NAMESPACE:
        # A part of the platform: it runs with whatever the platform of the day brings.
        return registry.environments.prepare(dependencies)
    recorded = version.lock
    if recorded is None:
        recorded = _record(registry, version)  # another process may have built it since this version was read
    if recorded is None:
        prepared = registry.environments.prepare(dependencies)
        recorded = _record(registry, version, prepared.lock)
        if recorded is None or Lock.from_wire(recorded) == prepared.lock:
            log.info("environment of %s: %s", version.plugin_id, prepared.summary)
            return prepared
    return registry.environments.prepare(dependencies, Lock.from_wire(recorded))


def _record(registry: Registry, version: PluginVersion, lock: Lock | None = None) -> dict[str, object] | None:
    with registry.database.transaction() as connection:
        return queries.record_lock(
            connection, version.namespace_id, version.plugin_id, None if lock is None else lock.wire()
        )
