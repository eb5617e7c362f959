"""Bringing one hub model into the cache: from the hub, or, without it, from what the cache knows."""

from __future__ import annotations

from pathlib import Path

from mixpeek.contract.model_references import DEFAULT_REVISION
from mixpeek.model_store.cache import CachedModel, ModelCache
from mixpeek.model_store.errors import HubUnavailable, ModelNotFound, ModelRejected
from mixpeek.model_store.formats import check_hub_files
from mixpeek.model_store.hub import Hub


def fetch(cache: ModelCache, hub: Hub | None, name: str, revision: str | None) -> CachedModel:
    """Return a hub model once it is in the cache; what a branch means is asked anew each time.

    Raises: HubUnavailable, with the command that fills the cache without a hub. ModelNotFound. ModelRejected.
    """
    wanted = revision or DEFAULT_REVISION
    try:
        found = _fetch(cache, hub, name, wanted)
    except (HubUnavailable, ModelNotFound) as error:
        known = cache.recall(name, wanted)
        if known is not None:
            return known
        if isinstance(error, ModelNotFound):
            raise
        command = f"mixpeek model pull {name if revision is None else f'{name}@{revision}'} --from FOLDER"
        raise HubUnavailable(
            f"Model {name} at {wanted} is not in the cache, and {error.message}. Fill the cache with `{command}`"
        ) from error
    cache.remember(name, wanted, found)
    return found


def _fetch(cache: ModelCache, hub: Hub | None, name: str, wanted: str) -> CachedModel:
    if hub is None:
        raise HubUnavailable("the hub is switched off by MIXPEEK_HUB_OFFLINE")
    model = hub.resolve(name, wanted)
    known = cache.recall(name, model.revision)
    if known is not None:
        return known
    with cache.filling(f"{name}@{model.revision}") as folder:
        # Another process may have fetched it while this one waited.
        known = cache.recall(name, model.revision)
        if known is None:
            hub.download(model, folder)
            _refuse_damaged(folder)
            known = CachedModel(model.revision, cache.adopt(folder))
            cache.remember(name, model.revision, known)
        return known


def pull_from(cache: ModelCache, source: Path, name: str, revision: str | None) -> CachedModel:
    """Put a folder's files into the cache as a hub model; raise ModelRejected for files that are not safe."""
    _refuse_damaged(source)
    content_hash = cache.copy_in(source)
    model = CachedModel(f"local{content_hash[:35]}", content_hash)
    cache.remember(name, revision or DEFAULT_REVISION, model)
    return model


def _refuse_damaged(folder: Path) -> None:
    findings = check_hub_files(folder)
    if findings:
        raise ModelRejected(findings)
