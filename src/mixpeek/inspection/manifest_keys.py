"""The keys of a manifest: which are known, and what was meant by the ones that are not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from mixpeek.contract.manifest import ComputeProfile, Feature, Manifest, ServeConfig
from mixpeek.inspection.manifest_report import ManifestReport, dotted

# Keys that other dialects and older tools use for the same thing.
_MEANT: dict[type[BaseModel], dict[str, str]] = {
    Feature: {
        "type": "feature_type",
        "name": "feature_name",
        "dimensions": "embedding_dim",
        "dimension": "embedding_dim",
        "dims": "embedding_dim",
        "dim": "embedding_dim",
        "vector_size": "embedding_dim",
        "distance": "distance_metric",
        "metric": "distance_metric",
        "similarity": "distance_metric",
    },
    Manifest: {
        "name": "feature_extractor_name",
        "extractor_name": "feature_extractor_name",
        "requirements": "dependencies",
        "params_schema": "parameter_schema",
        "input_types": "supported_input_types",
        "explode": "explodes",
        "exploding": "explodes",
    },
    ComputeProfile: {"memory_gb": "actor_memory_gb", "concurrency": "max_concurrency"},
    ServeConfig: {"replicas": "num_replicas"},
}
_MAX_NAMED = 20
_MAX_COMPARED = 100


def without_unknown_keys(raw: Mapping[str, Any], report: ManifestReport) -> dict[str, Any]:
    """Report unknown keys and return a copy with what they stood for, so that the rest can be checked too."""
    fields = _known(Manifest, raw, report)
    for name, model in (("compute_profile", ComputeProfile), ("serve_config", ServeConfig)):
        if isinstance(fields.get(name), Mapping):
            fields[name] = _known(model, fields[name], report, name)
    if isinstance(fields.get("features"), list):
        fields["features"] = [
            _known(Feature, feature, report, "features", index) if isinstance(feature, Mapping) else feature
            for index, feature in enumerate(fields["features"])
        ]
    return fields


def similar_names(report: ManifestReport) -> None:
    """Warn of a variable that looks like a misspelt field: it would change nothing, silently."""
    known = set(Manifest.model_fields) | {"metadata"}
    assigned = report.source.assigned
    for name in list(assigned)[:_MAX_COMPARED]:
        meant = None if name in known else _closest(name, known, cutoff=0.85)
        if meant is not None and meant not in assigned:
            report.warn(
                "manifest.similar_name",
                f"`{name}` is not read; did you mean `{meant}`?",
                f"Rename it to `{meant}`, or to something less alike",
                name,
            )


def _known(
    model: type[BaseModel], given: Mapping[str, Any], report: ManifestReport, *path: str | int
) -> dict[str, Any]:
    known = model.model_fields
    kept = {key: value for key, value in given.items() if key in known}
    unknown = [key for key in given if key not in known]
    for key in unknown[:_MAX_NAMED]:
        meant = _meant(model, key)
        name = f"`{dotted(*path, key)}` is not a known key"
        if meant is None:
            hint = f"Remove it; the keys here are {', '.join(known)}"
            report.add("manifest.unknown_key", name, hint, *path, key)
        else:
            report.add(
                "manifest.unknown_key", f"{name}; did you mean `{meant}`?", f"Rename it to `{meant}`", *path, key
            )
            kept.setdefault(meant, given[key])
    if len(unknown) > _MAX_NAMED:
        words = f"`{dotted(*path)}` has {len(unknown) - _MAX_NAMED} more keys that are not known"
        report.add("manifest.unknown_key", words, f"The keys here are {', '.join(known)}", *path)
    return kept


def _meant(model: type[BaseModel], key: str) -> str | None:
    aliases = _MEANT[model]
    close = key if key in aliases else _closest(key, [*model.model_fields, *aliases], cutoff=0.75)
    return None if close is None else aliases.get(close, close)


def _closest(key: str, known: Iterable[str], *, cutoff: float) -> str | None:
    if len(key) > _MAX_COMPARED:
        return None
    return next(iter(difflib.get_close_matches(key.lower(), list(known), n=1, cutoff=cutoff)), None)
