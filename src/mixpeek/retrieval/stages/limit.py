"""`limit`: the first documents, or those behind an offset."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from mixpeek.retrieval.context import MOST_RESULTS, Context
from mixpeek.retrieval.results import Flow, Scan
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """How many to keep."""

    other_names: ClassVar[dict[str, str]] = {"count": "limit", "max_results": "limit", "top_k": "limit", "n": "limit"}

    limit: int = Field(10, ge=1, le=MOST_RESULTS)
    offset: int = Field(0, ge=0, le=MOST_RESULTS)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the first `limit` documents behind the first `offset`."""
    if isinstance(flow, Scan) and not flow.is_cut:
        return replace(flow, limit=parameters.limit, offset=parameters.offset)
    results = context.results_of(flow) if isinstance(flow, Scan) else flow
    return results[parameters.offset : parameters.offset + parameters.limit]


KIND = StageKind("limit", "reduce", "Keep the first documents", Parameters, run, icon="list-end")
