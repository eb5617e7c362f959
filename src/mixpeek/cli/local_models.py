"""The models that a plugin under test may read: those of its manifest that were pulled on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mixpeek.contract.model_references import DEFAULT_REVISION, parse_references
from mixpeek.execution.port import ModelMount
from mixpeek.model_store.cache import ModelCache

# The server's own default; the settings class is not installed with the author's tools.
_DATA_DIR = "mixpeek-data"


def list_local_models(declared: Iterable[str]) -> tuple[ModelMount, ...]:
    """Return the declared hub models that `mixpeek model pull` has put here; a plugin is told of others as it asks."""
    cache = ModelCache((Path(os.environ.get("MIXPEEK_DATA_DIR") or _DATA_DIR) / "models").expanduser().resolve())
    mounts = []
    for reference in parse_references(list(declared)):
        known = None
        if reference.source == "hub":
            known = cache.recall(reference.name, reference.revision or DEFAULT_REVISION)
        folder = cache.find(known.content_hash) if known else None
        if folder is not None:
            mounts.append(ModelMount(reference.key, folder, "huggingface"))
    return tuple(mounts)
