"""What an execution would do, and what its stages took so far in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from mixpeek.documents.port import DocumentStore
from mixpeek.errors import MixpeekError
from mixpeek.filters.model import EVERYTHING, Filter
from mixpeek.filters.query import Query
from mixpeek.retrieval.context import Reading
from mixpeek.retrieval.models import Retriever
from mixpeek.retrieval.narrowing import read_filter
from mixpeek.retrieval.queries import list_targets
from mixpeek.retrieval.results import both
from mixpeek.retrieval.stages import STAGES, attribute_filter
from mixpeek.retrieval.templates import render

# How much the newest execution counts in a mean.
FRESH = 0.2
MOST_STAGES = 2000
# Parameters that say how many documents a stage lets through at most.
_CUTS = {"feature_search": "final_top_k", "limit": "limit", "sample": "count", "mmr": "top_k", "rerank": "top_k"}
_LEFT_TO_STORE = frozenset({"attribute_filter", "sort_attribute", "limit"})
_COSTLY = frozenset({"rerank", "api_call", "document_enrich"})


@dataclass
class Timing:
    """The running mean of a stage's executions."""

    duration_ms: float
    input_count: float
    output_count: float
    executions: int = 1


class Timings:
    """What the stages of retrievers took, of those executed last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Timing] = OrderedDict()

    def note(self, retriever_id: str | None, stage_name: str, duration_ms: float, before: int, after: int) -> None:
        if retriever_id is None:
            return
        key = (retriever_id, stage_name)
        with self._lock:
            known = self._kept.get(key)
            if known is None:
                self._kept[key] = Timing(duration_ms, before, after)
            else:
                known.executions += 1
                known.duration_ms += FRESH * (duration_ms - known.duration_ms)
                known.input_count += FRESH * (before - known.input_count)
                known.output_count += FRESH * (after - known.output_count)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_STAGES:
                self._kept.popitem(last=False)

    def of(self, retriever_id: str, stage_name: str) -> Timing | None:
        with self._lock:
            return self._kept.get((retriever_id, stage_name))


def explain(
    retriever: Retriever, inputs: dict[str, Any], reading: Reading, store: DocumentStore, timings: Timings
) -> dict[str, Any]:
    """Return the documented plan of a retriever: its stages in order, with what is known of each."""
    targets = list_targets(reading.connection, retriever.namespace_id, retriever.collection_ids)
    documents = sum(store.count(reading.connection, target.index) for target in targets)
    plans, coming, is_unread = [], documents, True
    where: Filter = EVERYTHING
    for place, stage in enumerate(retriever.stages):
        stage_id, config = stage["config"]["stage_id"], stage["config"]
        notes, warnings = [], []
        going = coming
        if is_unread and stage_id in _LEFT_TO_STORE:
            notes.append("left to the store")
            try:
                narrower = both(where, _filter_of(stage_id, config, inputs))
                if narrower != where:
                    where = narrower
                    query = Query(1, filter=where)
                    going = sum(store.stats(reading.connection, t.index, query).total_documents for t in targets)
            except (MixpeekError, ValueError):
                warnings.append("How many documents pass depends on the inputs; send them to know")
        else:
            is_unread = False
        cut = _cut_of(stage_id, config, inputs)
        if cut is not None:
            going = min(going, cut)
        timing = timings.of(retriever.retriever_id, stage["stage_name"])
        if timing is None:
            warnings.append("Not executed in this process yet, so its duration is not known")
        elif not is_unread:
            going = round(timing.output_count)
        if stage_id in _COSTLY and coming > 100:
            warnings.append(f"Asks another party for {coming} documents; put a `limit` before it")
        plans.append(
            {
                "stage_index": place,
                "stage_name": stage["stage_name"],
                "stage_type": STAGES[stage_id].category,
                "estimated_input": coming,
                "estimated_output": going,
                "estimated_efficiency": going / coming if coming else 0.0,
                "estimated_cost_credits": 0.0,
                "estimated_duration_ms": timing.duration_ms if timing else 0.0,
                "cache_likely": stage_id == "feature_search" and timing is not None,
                "optimization_notes": notes,
                "warnings": warnings,
            }
        )
        coming = going
    slowest = max(plan["estimated_duration_ms"] for plan in plans)
    return {
        "retriever_id": retriever.retriever_id,
        "retriever_name": retriever.retriever_name,
        "estimated_cost": {
            "total_credits": 0.0,
            "total_duration_ms": sum(plan["estimated_duration_ms"] for plan in plans),
        },
        "execution_plan": plans,
        "optimization_suggestions": _suggestions(retriever),
        "total_estimated_stages": len(plans),
        "bottleneck_stages": [
            p["stage_name"] for p in plans if slowest and p["estimated_duration_ms"] >= 0.8 * slowest
        ],
        "optimization_level": "mvp",
        "optimization_applied": any(plan["optimization_notes"] for plan in plans),
        "optimization_details": None,
    }


def _filter_of(stage_id: str, config: dict[str, Any], inputs: dict[str, Any]) -> Filter:
    """Return what all filters of a stage together let pass; raise MixpeekError or ValueError if an input is missing."""
    wanted = both(read_filter(config.get("pre_filters"), inputs), read_filter(config.get("post_filters"), inputs))
    if stage_id == "attribute_filter":
        wanted = both(wanted, attribute_filter.Parameters.model_validate(config["parameters"]).filter(inputs))
    return wanted


def _cut_of(stage_id: str, config: dict[str, Any], inputs: dict[str, Any]) -> int | None:
    """Return how many documents a stage lets through at most, None if that is not said or depends on an input."""
    name = _CUTS.get(stage_id)
    if name is None:
        return None
    try:
        parameters = STAGES[stage_id].parameters.model_validate(render(config["parameters"], inputs))
    except (MixpeekError, ValueError):
        return None
    found: int | None = getattr(parameters, name)
    return found


def _suggestions(retriever: Retriever) -> list[dict[str, Any]]:
    """Return what would make a retriever find more, or faster."""
    found = []
    searched = False
    for stage in retriever.stages:
        stage_id = stage["config"]["stage_id"]
        if stage_id == "attribute_filter" and searched and "score" not in str(stage["config"]["parameters"]):
            found.append(
                {
                    "type": "filter_before_search",
                    "stage_name": stage["stage_name"],
                    "message": "It filters what was found; before the search it would filter what is searched, and the"
                    " search would return as many as asked for",
                }
            )
        searched = searched or stage_id == "feature_search"
    return found
