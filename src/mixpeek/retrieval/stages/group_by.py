"""`group_by`: documents brought together by a field."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.grouping import OutputMode, flatten, group_results
from mixpeek.retrieval.results import Flow
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """What to group by, and what to show of each group."""

    other_names: ClassVar[dict[str, str]] = {"field": "group_by_field", "group_size": "max_per_group"}

    group_by_field: str = Field("source_object_id", min_length=1)
    max_per_group: int = Field(10, ge=1, le=1000, description="The first of each group, in the order they come in.")
    output_mode: OutputMode = Field(
        "all", description="`first`: the first of each; `all`: with `group_key` and `groups`; `flatten`: without."
    )


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents group after group, those of the first document first."""
    groups = group_results(context.results_of(flow), parameters.group_by_field, most=parameters.max_per_group)
    context.metadata["total_groups"] = len(groups)
    if parameters.output_mode == "all":
        context.groups = [group.wire() for group in groups]
    return flatten(groups, parameters.output_mode)


KIND = StageKind("group_by", "reduce", "Group documents by a field", Parameters, run, icon="group")
