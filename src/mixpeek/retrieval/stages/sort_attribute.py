"""`sort_attribute`: documents in the order of a field."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from mixpeek.filters.query import Sort
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Scan
from mixpeek.retrieval.sorting import sort_by
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """What to sort by."""

    other_names: ClassVar[dict[str, str]] = {
        "sort_field": "field",
        "sort_by": "field",
        "order": "direction",
        "sort_order": "direction",
    }

    field: str = Field(min_length=1)
    direction: Literal["asc", "desc"] = "desc"
    nulls_last: bool = Field(True, description="Where documents without the field go, whatever the direction.")


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents in order; equal ones stay in theirs."""
    descending = parameters.direction == "desc"
    if isinstance(flow, Scan) and not flow.is_cut and parameters.nulls_last:
        return replace(flow, sort=Sort(parameters.field, descending))
    return sort_by(
        context.results_of(flow),
        lambda result: result.read(parameters.field),
        descending=descending,
        nulls_last=parameters.nulls_last,
    )


KIND = StageKind("sort_attribute", "sort", "Sort documents by a field", Parameters, run, icon="arrow-up-down")
