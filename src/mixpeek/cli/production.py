"""What a server would do with a plugin that passes here: limits, packages, network, version, the questions of its gate.

Said from the manifest and the settings of this machine; a server has settings of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixpeek.deployments.serve_plan import plan_from_manifest
from mixpeek.examination.samples import find_shipped
from mixpeek.execution.environments.sources import redact, sources_from_settings
from mixpeek.execution.port import CALL_TIMEOUT_S, GIB

if TYPE_CHECKING:
    from mixpeek.contract.manifest import Manifest
    from mixpeek.execution.port import HostSpec


def foresee_production(manifest: Manifest, spec: HostSpec, realtime: str | None, plugin_dir: Path) -> dict[str, str]:
    """Return one line per matter.

    Args:
        spec: how a batch's host is started here, with what the pipeline's steps need.
        realtime: the style of the handler, None without one.
        plugin_dir: the plugin's files, of which samples.json or samples.csv is what the gate asks with.
    Raises: EnvironmentUnavailable: the settings of where packages come from cannot be used.
    """
    profile, plan = manifest.compute_profile, plan_from_manifest(manifest, idle_s=0)
    call_s = profile.timeout_s or CALL_TIMEOUT_S
    shipped = find_shipped(plugin_dir)
    asks = f"the first row of {shipped.name}" if shipped else "its schema's example, or something built in"
    through = "realtime and batch" if realtime else "batch"
    parity = "refuses" if manifest.parity == "strict" else "warns"
    name, version = manifest.feature_extractor_name, manifest.version
    return {
        "version": f"{name} {version}; once that is published, `--bump` gives the next patch version",
        "memory": f"{profile.actor_memory_gb:g} GiB for a batch's host, {plan.memory_bytes / GIB:g} GiB for realtime;"
        " a host that holds more is stopped",
        "timeouts": f"{call_s:g} s for a call of {profile.batch_size} rows, {plan.timeout_s:g} s for a realtime"
        f" request, {plan.start_timeout_s:g} s to start",
        "network": "public addresses, through a proxy (resource type api)" if spec.network else "none",
        "dependencies": _packages(manifest),
        "gate": f"asks {through} with {asks} before anything goes live"
        + (f"; {parity} where both differ" if realtime and manifest.embeddings else ""),
    }


def _packages(manifest: Manifest) -> str:
    if not manifest.dependencies:
        return "none declared: pydantic, numpy, pandas and pyarrow are there"
    wheelhouse, index = os.environ.get("MIXPEEK_WHEELHOUSE"), os.environ.get("MIXPEEK_INDEX_URL")
    sources = sources_from_settings(index, Path(wheelhouse) if wheelhouse else None, os.environ)
    if sources.no_index:
        place = ", ".join(map(redact, sources.find_links)) or "nowhere: no index is allowed, and no folder is named"
    else:
        place = redact(sources.index_url) if sources.index_url else "the public package index"
    counted = f"{len(manifest.dependencies)} package" + ("s" if len(manifest.dependencies) != 1 else "")
    return f"{counted}, installed once per set of packages, from {place} as this machine is set up"


def as_lines(foreseen: dict[str, Any]) -> list[str]:
    """Return the lines to print."""
    return [f"{what:<13} {told}" for what, told in foreseen.items()]
