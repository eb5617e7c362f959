"""The stages a retriever can be made of: one module each, registered by its `stage_id`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixpeek.retrieval.models import Context, Result
from mixpeek.retrieval.stages import feature_search
from mixpeek.wire import WireModel


@dataclass(frozen=True)
class StageKind:
    """What a stage takes and does."""

    stage_id: str
    category: str
    description: str
    parameters: type[WireModel]
    check: Callable[..., None]
    run: Callable[..., list[Result]]


STAGES = {
    "feature_search": StageKind(
        "feature_search",
        "filter",
        "Search the vectors of one or several features, fused",
        feature_search.Parameters,
        feature_search.check,
        feature_search.run,
    )
}

__all__ = ["STAGES", "Context", "Result", "StageKind"]
