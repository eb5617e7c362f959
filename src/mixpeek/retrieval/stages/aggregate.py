"""`aggregate`: figures over the documents that come in, all together or by the values of fields."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Result, found, hashable, number_of
from mixpeek.retrieval.sorting import sort_by, sort_key
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel

MOST_COLLECTED = 1000
Function = Literal[
    "count", "count_distinct", "sum", "avg", "min", "max", "first", "last", "collect", "collect_distinct"
]


class Operation(WireModel):
    """One figure."""

    function: Function
    field: str | None = Field(None, description="Of all functions but `count`.")
    alias: str = Field(min_length=1)

    @model_validator(mode="after")
    def _names_its_field(self) -> Operation:
        if self.field is None and self.function != "count":
            raise ValueError(f"`{self.function}` needs a `field`")
        return self


class GroupField(WireModel):
    """A field to group by."""

    field: str = Field(min_length=1)
    alias: str | None = None

    @property
    def name(self) -> str:
        return self.alias or self.field.rpartition(".")[2]


class Parameters(WireModel):
    """Which figures, and by what."""

    aggregations: list[Operation] = Field(min_length=1, max_length=20)
    group_by: list[GroupField] | None = Field(None, max_length=10)
    sort_by: str | None = Field(None, description="An alias.")
    sort_order: Literal["asc", "desc"] = "desc"
    limit: int | None = Field(None, ge=1, le=10_000, description="Groups at most.")
    include_documents: bool = Field(False, description="Let the documents pass, too.")

    @model_validator(mode="after")
    def _names_fit(self) -> Parameters:
        names = [operation.alias for operation in self.aggregations]
        names += [group.name for group in self.group_by or []]
        if len(set(names)) < len(names):
            raise ValueError("each figure and each field that is grouped by has a name of its own; give one an `alias`")
        if self.sort_by is not None and self.sort_by not in names:
            raise ValueError(f"`sort_by` names {self.sort_by!r}; there are: {', '.join(names)}")
        return self


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return nothing, or the documents as they came; the figures are under `aggregations`, by stage."""
    results = context.results_of(flow)
    figures = aggregate(results, parameters)
    context.aggregations[context.stage_name] = figures
    context.metadata["aggregations"] = figures
    return results if parameters.include_documents else []


def aggregate(results: Sequence[Result], wanted: Parameters) -> list[dict[str, Any]]:
    """Return one object of figures for each combination of the values grouped by, in order of their first document."""
    groups: dict[Any, tuple[dict[str, Any], list[Result]]] = {}
    if not wanted.group_by:
        groups[()] = ({}, list(results))
    for result in results if wanted.group_by else ():
        values = {group.name: found(result.read(group.field)) for group in wanted.group_by or ()}
        groups.setdefault(hashable(list(values.values())), (values, []))[1].append(result)
    rows = [
        {**values, **{each.alias: figure(each, members) for each in wanted.aggregations}}
        for values, members in groups.values()
    ]
    key = wanted.sort_by
    if key is not None:
        rows = sort_by(rows, lambda row: row[key], descending=wanted.sort_order == "desc")
    return rows[: wanted.limit]


def figure(wanted: Operation, members: Sequence[Result]) -> Any:  # noqa: PLR0911
    """Return one figure; sums and averages look at numbers only, `min` and `max` at whatever has an order."""
    if wanted.field is None:
        return len(members)
    values = [value for member in members if (value := found(member.read(wanted.field))) is not None]
    match wanted.function:
        case "count":
            return len(values)
        case "count_distinct":
            return len({hashable(value) for value in values})
        case "sum":
            return sum(number for value in values if (number := number_of(value)) is not None)
        case "avg":
            numbers = [number for value in values if (number := number_of(value)) is not None]
            return statistics.fmean(numbers) if numbers else None
        case "min" | "max":
            ordered = [value for value in values if sort_key(value) is not None]
            pick = min if wanted.function == "min" else max
            return pick(ordered, key=lambda value: sort_key(value) or (0, "")) if ordered else None
        case "first" | "last":
            return (values[0] if wanted.function == "first" else values[-1]) if values else None
        case "collect":
            return values[:MOST_COLLECTED]
        case _:
            return list({hashable(value): value for value in values}.values())[:MOST_COLLECTED]


KIND = StageKind("aggregate", "reduce", "Count, sum, average and collect over documents", Parameters, run, icon="sigma")
