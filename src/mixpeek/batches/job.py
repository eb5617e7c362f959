"""What running one collection's part of a batch needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixpeek.batches.rows import Recipe
from mixpeek.collections.mappings import parse_mappings
from mixpeek.collections.models import Collection
from mixpeek.contract.manifest import Manifest
from mixpeek.documents.port import Index
from mixpeek.execution.port import CALL_TIMEOUT_S, HostSpec, Step
from mixpeek.host.patience import LEAST_SUSPECT_S, SUSPICION
from mixpeek.registry.models import PluginVersion

# As in the host: so many calls may be interrupted in one run.
INTERRUPTIONS = 8
# A machine under load may take long to hand over what a host has ready.
_GRACE_S = 10.0


@dataclass(frozen=True)
class Job:
    """The task it is for, which rows of which objects, what runs them, where their documents go."""

    task_id: str
    batch_id: str
    recipe: Recipe
    index: Index
    manifest: Manifest
    parameters: dict[str, Any]
    spec: HostSpec
    yields: bool = False  # it builds a generation, in which what other batches wrote meanwhile is newer

    @property
    def batch_rows(self) -> int:
        """How many rows a processor is called with at most."""
        return self.manifest.compute_profile.batch_size

    @property
    def call_s(self) -> float:
        """How long one call of a processor may take."""
        return self.manifest.compute_profile.timeout_s or CALL_TIMEOUT_S


def recipe_of(collection: Collection, version: PluginVersion, began_at: str | None = None) -> Recipe:
    """Return what decides the rows of a collection that a version makes.

    Args: began_at: ISO 8601, of the batch that runs them.
    """
    extractor = collection.feature_extractor
    return Recipe(
        collection_id=collection.collection_id,
        extractor_id=version.plugin_id,
        namespace_id=collection.namespace_id,
        input_mappings=parse_mappings(extractor["input_mappings"] or version.parsed_manifest.input_mappings),
        field_passthrough=extractor["field_passthrough"],
        include_all_source_fields=extractor["include_all_source_fields"],
        source_fields=collection.input_schema.get("properties", {}),
        began_at=began_at,
    )


def run_limit_s(job: Job, rows: int, steps: Sequence[Step], slowest_s: float | None) -> float:
    """Return after how long a host that runs so many rows is given up, its code never having come back to Python.

    Args:
        slowest_s: what the slowest call of a processor took so far; None where nothing is known yet.
    """
    calls = math.ceil(rows / job.batch_rows) * max(1, sum(step.enabled for step in steps))
    if slowest_s is None:
        return job.call_s * calls + _GRACE_S
    suspect_s = min(job.call_s, max(LEAST_SUSPECT_S, SUSPICION * slowest_s))
    return job.call_s + suspect_s * (calls + INTERRUPTIONS) + _GRACE_S
