"""The gate's decisions: what to probe a plugin with, and whether its answers are usable.

Pure functions; `rollout` does the calling.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from mixpeek.contract.manifest import Feature, Manifest


@dataclass(frozen=True)
class Probe:
    """One row of input; `synthetic` when neither the plugin nor its schema offered it."""

    inputs: dict[str, Any]
    mime_type: str
    synthetic: bool


def probe_from_manifest(manifest: Manifest) -> Probe | None:
    """Return an input for the plugin: its schema's own example, else a sentence; None if it takes no text."""
    for example in manifest.input_schema.get("examples", []):
        if isinstance(example, dict) and example:
            return Probe(example, "text/plain", synthetic=False)
    if manifest.supported_input_types and "text" not in manifest.supported_input_types:
        return None
    properties = manifest.input_schema.get("properties", {})
    names = [name for name, schema in properties.items() if schema.get("type") == "string"] or ["text"]
    sentence = "The quick brown fox jumps over the lazy dog."
    return Probe(dict.fromkeys(names[:1], sentence), "text/plain", synthetic=True)


def vector_from_reply(reply: Any, feature: Feature, *, only_feature: bool) -> list[float] | None:
    """Return the vector of `feature` in a realtime reply: under the feature's name, else under `embedding`.

    The older plural `embeddings`, a list holding one vector, is read too.
    """
    if not isinstance(reply, dict):
        return None
    value = reply.get(feature.feature_name)
    if value is None and only_feature:
        value = reply.get("embedding", reply.get("embeddings"))
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return value if isinstance(value, list) else None


def fault_of_vector(vector: Any, feature: Feature) -> str | None:
    """Return why `vector` cannot be stored as `feature`, or None."""
    if vector is None:
        return f"no vector for feature {feature.feature_name!r}"
    if len(vector) != feature.embedding_dim:
        return f"feature {feature.feature_name!r} has {len(vector)} numbers, its manifest says {feature.embedding_dim}"
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in vector):
        return f"feature {feature.feature_name!r} holds a value that is not a finite number"
    return None


def faults_of_reply(reply: Any, manifest: Manifest) -> list[str]:
    """Return what is wrong with a realtime reply, one line per embedding that cannot be used."""
    embeddings = manifest.embeddings
    if not embeddings:
        return []
    faults = [
        fault_of_vector(vector_from_reply(reply, feature, only_feature=len(embeddings) == 1), feature)
        for feature in embeddings
    ]
    if all(fault and fault.startswith("no vector") for fault in faults):
        keys = sorted(reply) if isinstance(reply, dict) else type(reply).__name__
        wanted = ", ".join(repr(feature.feature_name) for feature in embeddings)
        return [f"the realtime reply holds {keys}; it needs {wanted} or 'embedding'"]
    # A handler may serve one of several features (a query encoder); those it gives must be right.
    return [fault for fault in faults if fault and not fault.startswith("no vector")]


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


def warnings_of_unchecked(manifest: Manifest) -> list[str]:
    """Return what the manifest asks for that this gate does not check, so that nothing looks enforced which is not."""
    if manifest.parity != "strict":
        return []
    return [
        'parity = "strict" is not enforced by a rollout yet; `mixpeek plugin test --sample-data` compares both paths'
    ]


def manifests_differ(described: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Return the keys on which a freshly described manifest differs from the stored one, `version` aside."""
    keys = (set(described) | set(stored)) - {"version"}
    return sorted(key for key in keys if described.get(key) != stored.get(key))
