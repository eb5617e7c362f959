"""`deduplicate`: of documents that are the same, or nearly so, only the first stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.likeness import likeness_of
from mixpeek.retrieval.results import Flow, Result, found, hashable
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.retrieval.targets import Bound, Target, find_spaces
from mixpeek.wire import WireModel

# As many vectors are compared with each other; a table of all pairs has the square of it.
MOST_COMPARED = 2000


class Parameters(WireModel):
    """When two documents count as the same: equal fields, or near vectors."""

    other_names: ClassVar[dict[str, str]] = {"dedup_field": "field"}

    field: str | None = Field(None, description="Short for `fields` with one entry.")
    fields: list[str] | None = Field(None, min_length=1, max_length=20, description="All of them have to be equal.")
    feature_uri: str | None = Field(None, description="Compare vectors of this feature instead.")
    threshold: float = Field(0.95, description="Similarity from which vectors count as the same.")
    keep: Literal["first", "best"] = Field("first", description="`best` keeps the one of the highest score.")

    @model_validator(mode="after")
    def _is_one_of_all(self) -> Parameters:
        if sum(each is not None for each in (self.field, self.fields, self.feature_uri)) != 1:
            raise ValueError("send one of `field`, `fields` and `feature_uri`")
        return self

    @property
    def names(self) -> list[str]:
        return self.fields or ([self.field] if self.field else [])


def check(parameters: Parameters, targets: Sequence[Target], bound: Bound) -> None:
    """Refuse a feature that no collection has as a vector."""
    if parameters.feature_uri is not None:
        find_spaces(parameters.feature_uri, targets, bound)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents without those that repeat another; what has none of the fields repeats nothing."""
    results = context.results_of(flow)
    order = list(range(len(results)))
    if parameters.keep == "best":
        order.sort(key=lambda place: -results[place].score)
    if parameters.feature_uri is not None:
        kept = _unlike(parameters, context, results, order)
    else:
        seen: set[Any] = set()
        kept = []
        for place in order:
            values = [found(results[place].read(name)) for name in parameters.names]
            key = hashable(values)
            if key not in seen or all(value is None for value in values):
                kept.append(place)
                seen.add(key)
    context.metadata["removed"] = len(results) - len(kept)
    return [results[place] for place in sorted(kept)]


def _unlike(parameters: Parameters, context: Context, results: list[Result], order: list[int]) -> list[int]:
    assert parameters.feature_uri is not None
    if len(results) > MOST_COMPARED:
        context.warn(
            f"{context.stage_name} compares {MOST_COMPARED:,} documents; those behind them were left as they are"
        )
    compared = order[:MOST_COMPARED]
    spaces = find_spaces(parameters.feature_uri, context.targets, context.bound)
    alike = likeness_of(context, [results[place] for place in compared], spaces, unknown=-math.inf)
    kept: list[int] = []
    for n in range(len(compared)):
        if not kept or alike[n, kept].max() < parameters.threshold:
            kept.append(n)
    return [compared[n] for n in kept] + order[MOST_COMPARED:]


KIND = StageKind(
    "deduplicate", "reduce", "Leave out documents that repeat another", Parameters, run, check, icon="copy-minus"
)
