"""Which version of its extractor a collection is run with: the one it was made with, or a fix of it. Pure."""

from __future__ import annotations

from typing import Any

from mixpeek.registry.models import PluginVersion


def follows_active(feature_extractor: dict[str, Any]) -> bool:
    """Tell whether a collection names no version of its extractor, and so takes fixes as they become active."""
    return feature_extractor["version"] in (None, "latest")


def is_fix_of(active: PluginVersion, made_by: PluginVersion) -> bool:
    """Tell whether documents of both versions may stand in one index: a later patch with the same vectors.

    A change of minor or major version may mean another model, whose vectors cannot be compared with those stored.
    """
    if (active.namespace_id, active.name) != (made_by.namespace_id, made_by.name):
        return False
    return _line(active) == _line(made_by) and _vectors(active) == _vectors(made_by)


def _line(version: PluginVersion) -> list[str]:
    return version.version.split(".")[:2]


def _vectors(version: PluginVersion) -> list[tuple[str, int | None, str]]:
    return [(f.feature_name, f.embedding_dim, f.distance_metric) for f in version.parsed_manifest.embeddings]
