"""The gate's decisions: whether a plugin's answers to a probe are usable, and whether its two paths agree.

Pure functions; `trial` does the asking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mixpeek.contract.manifest import Manifest
from mixpeek.contract.pipeline import RowCondition
from mixpeek.deployments.probe import Probe
from mixpeek.errors import ParityBroken, PluginError, PluginRaised
from mixpeek.examination.vectors import PARITY, cosine, fault_of_vector, vector_from_reply
from mixpeek.execution.port import HostSpec, Step

Columns = Mapping[str, Any]
"""What the pipeline made of the one row of a probe: its new columns."""


def faults_of_reply(reply: Any, manifest: Manifest) -> list[str]:
    """Return what is wrong with a realtime reply, one line per embedding that cannot be used."""
    embeddings = manifest.embeddings
    if not embeddings:
        return []
    vectors = [vector_from_reply(reply, feature, only_feature=len(embeddings) == 1) for feature in embeddings]
    if all(vector is None for vector in vectors):
        keys = sorted(reply) if isinstance(reply, dict) else type(reply).__name__
        wanted = ", ".join(repr(feature.feature_name) for feature in embeddings)
        return [f"the realtime reply holds {keys}; it needs {wanted} or 'embedding'"]
    # A handler may serve one of several features (a query encoder); those it gives must be right.
    given = [(vector, feature) for vector, feature in zip(vectors, embeddings, strict=True) if vector is not None]
    return [fault for vector, feature in given if (fault := fault_of_vector(vector, feature))]


def faults_of_columns(columns: Columns, manifest: Manifest) -> list[str]:
    """Return what is wrong with the vectors a pipeline made, one line each; a row may do without."""
    vectors = [(columns.get(feature.feature_name), feature) for feature in manifest.embeddings]
    faults = [fault_of_vector(vector, feature) for vector, feature in vectors if vector is not None]
    return [f"in batch, {fault}" for fault in faults if fault]


def lacks_of_columns(columns: Columns, manifest: Manifest) -> list[str]:
    """Return which declared embeddings a pipeline made no column for, one line each."""
    wrote = ", ".join(sorted(columns)) or "no new column"
    return [
        f"the pipeline does not write the declared feature {feature.feature_name!r}; it wrote {wrote}"
        for feature in manifest.embeddings
        if feature.feature_name not in columns
    ]


def cosines(reply: Any, columns: Columns, manifest: Manifest) -> dict[str, float]:
    """Return the cosine between realtime and batch of every embedding that both have; both must be faultless."""
    embeddings, found = manifest.embeddings, {}
    for feature in embeddings:
        one = vector_from_reply(reply, feature, only_feature=len(embeddings) == 1)
        other = columns.get(feature.feature_name)
        if one is not None and other is not None:
            found[feature.feature_name] = cosine(one, other)
    return found


def judge_parity(found: Mapping[str, float], manifest: Manifest, probe: Probe) -> list[str]:
    """Return a warning per embedding whose realtime and batch vectors differ.

    Raises: ParityBroken: they differ, and the manifest says `parity = "strict"`.
    """
    lines = [
        f"realtime and batch differ in feature {name!r}: their cosine is {likeness:.4f}, {PARITY} is asked for"
        f" (asked with {probe.origin})"
        for name, likeness in found.items()
        if not likeness >= PARITY
    ]
    if lines and manifest.parity == "strict":
        raise ParityBroken("; ".join(lines))
    return [line[:1].upper() + line[1:] for line in lines]


def warnings_of_uncompared(found: Mapping[str, float], manifest: Manifest) -> list[str]:
    """Return that strict parity could not be checked, if so, so that nothing looks enforced which is not."""
    if found or manifest.parity != "strict" or not manifest.embeddings:
        return []
    return ['parity = "strict" could not be checked: no embedding came back from both realtime and batch']


def warning_of_refusal(error: PluginError, probe: Probe, path: str) -> str | None:
    """Return what to say of a plugin that refused a probe, None if that must fail the rollout.

    It may refuse what we made up, by raising; it may not end its host, run out of time or memory, or lack its model.
    """
    if not probe.synthetic or not isinstance(error, PluginRaised) or is_missing_model(error.details.get("exception")):
        return None
    return f"{path} refused {probe.origin} ({error.named}); ship a samples.json, or add `examples` to its input schema"


def takes(steps: tuple[Step, ...], probe: Probe) -> bool:
    """Tell whether an enabled step of a pipeline sees the probe's row."""
    return any(step.enabled and RowCondition(step.condition).matches(probe.mime_type) for step in steps)


def may_run_beside(spec: HostSpec, other: HostSpec, available_bytes: int) -> bool:
    """Tell whether two hosts may run at the same time beside what is live: without GPU, in half the free memory."""
    return not (spec.gpu or other.gpu) and spec.memory_bytes + other.memory_bytes <= available_bytes // 2


def advice_on_missing_module(exception: str | None, message: str) -> str | None:
    """Return which `dependencies` line repairs a failed import, or None when the failure is another."""
    found = re.search(r"No module named '([\w.]+)'", message) if exception == "ModuleNotFoundError" else None
    if found is None:
        return None
    package = found[1].partition(".")[0].replace("_", "-")
    return f'Declare the package that provides it in manifest.py, as in `dependencies = ["{package}"]`'


def is_missing_model(exception: str | None) -> bool:
    """Tell whether a call failed for a model that was not there, which no other input would change."""
    return exception is not None and exception.rpartition(".")[2] == "ModelUnavailable"


def manifests_differ(described: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Return the keys on which a freshly described manifest differs from the stored one, `version` aside."""
    keys = (set(described) | set(stored)) - {"version"}
    return sorted(key for key in keys if described.get(key) != stored.get(key))
