"""The stages a retriever can be made of: one module each, registered by its `stage_id`."""

from __future__ import annotations

from mixpeek.retrieval.stages import (
    aggregate,
    api_call,
    attribute_filter,
    deduplicate,
    document_enrich,
    feature_search,
    group_by,
    json_transform,
    limit,
    mmr,
    rerank,
    sample,
    score_normalize,
    sort_attribute,
    sort_relevance,
)
from mixpeek.retrieval.stages.kind import StageKind

STAGES: dict[str, StageKind] = {
    module.KIND.stage_id: module.KIND
    for module in (
        feature_search,
        attribute_filter,
        sort_relevance,
        sort_attribute,
        rerank,
        mmr,
        score_normalize,
        limit,
        sample,
        deduplicate,
        group_by,
        aggregate,
        json_transform,
        api_call,
        document_enrich,
    )
}

__all__ = ["STAGES", "StageKind"]
