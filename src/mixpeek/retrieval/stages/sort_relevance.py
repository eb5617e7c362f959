"""`sort_relevance`: documents in the order of a score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Result, number_of
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.wire import WireModel


class Parameters(WireModel):
    """Which score to sort by."""

    score_field: str = Field("score", min_length=1, description="`score`, `scores.rerank`, or any field.")
    direction: Literal["asc", "desc"] = "desc"
    feature_address: str | None = Field(None, description="A feature URI: sort by the score in its search instead.")
    missing_score: Literal["bottom", "top", "preserve"] = Field(
        "bottom", description="Where documents without that score go; `preserve` leaves them in their place."
    )


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents in order; equal ones stay in theirs."""
    results = context.results_of(flow)
    read = _reader(parameters)
    scored = [(score, result) for result in results if (score := read(result)) is not None]
    ordered = [each for _, each in sorted(scored, key=lambda pair: pair[0], reverse=parameters.direction == "desc")]
    if len(ordered) == len(results):
        return ordered
    without = [result for result in results if read(result) is None]
    if parameters.missing_score == "preserve":
        next_one = iter(ordered)
        return [result if read(result) is None else next(next_one) for result in results]
    return without + ordered if parameters.missing_score == "top" else ordered + without


def _reader(parameters: Parameters) -> Callable[[Result], float | None]:
    def of_feature(result: Result) -> float | None:
        return result.features.get(parameters.feature_address or "")

    def of_field(result: Result) -> float | None:
        value: Any = result.score if parameters.score_field == "score" else result.read(parameters.score_field)
        return number_of(value)

    return of_feature if parameters.feature_address else of_field


KIND = StageKind("sort_relevance", "sort", "Sort documents by a score", Parameters, run, icon="trending-up")
