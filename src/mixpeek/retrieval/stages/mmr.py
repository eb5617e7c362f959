"""`mmr`: documents that are relevant and unlike each other, by their vectors or by their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.likeness import likeness_of
from mixpeek.retrieval.results import Flow, Result, found, number_of
from mixpeek.retrieval.stages.kind import StageKind, WrittenField
from mixpeek.retrieval.targets import Bound, Space, Target, find_spaces
from mixpeek.wire import WireModel

if TYPE_CHECKING:
    from mixpeek.retrieval.diversity import Matrix

# A table of all pairs has the square of it.
MOST_COMPARED = 2000


class DiversityFeature(WireModel):
    """A feature in which documents should differ."""

    feature_uri: str
    weight: float = Field(1.0, ge=0)


class Parameters(WireModel):
    """How to weigh relevance against diversity."""

    balance: float = Field(0.7, ge=0, le=1, alias="lambda", description="1 looks at relevance only, 0 at diversity.")
    top_k: int = Field(25, ge=1, le=MOST_COMPARED)
    diversity_feature_uri: str | None = Field(None, description="Default the feature that was searched first.")
    diversity_features: list[DiversityFeature] | None = Field(None, min_length=1, max_length=10)
    diversity_fields: list[str] | None = Field(None, min_length=1, max_length=20, description="Fields, not vectors.")
    diversity_field_weights: dict[str, Annotated[float, Field(ge=0)]] | None = None
    score_field: str = "score"
    mmr_score_field: WrittenField = "scores.mmr"
    similarity_metric: Literal["cosine", "dot", "euclidean"] = "cosine"

    @model_validator(mode="after")
    def _is_one_of_all(self) -> Parameters:
        if sum(map(bool, (self.diversity_feature_uri, self.diversity_features, self.diversity_fields))) > 1:
            raise ValueError("send one of `diversity_feature_uri`, `diversity_features` and `diversity_fields`")
        unknown = set(self.diversity_field_weights or {}) - set(self.diversity_fields or [])
        if unknown:
            raise ValueError(f"`diversity_field_weights` names {min(unknown)!r}, which is not in `diversity_fields`")
        return self

    @property
    def features(self) -> list[DiversityFeature]:
        if self.diversity_feature_uri:
            return [DiversityFeature(feature_uri=self.diversity_feature_uri)]
        return self.diversity_features or []


def check(parameters: Parameters, targets: Sequence[Target], bound: Bound) -> None:
    """Refuse a feature that no collection has as a vector."""
    for feature in parameters.features:
        find_spaces(feature.feature_uri, targets, bound)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return up to `top_k` documents in the order that they are picked."""
    from mixpeek.retrieval.diversity import order_by_mmr  # loads numpy

    results = context.results_of(flow)
    if len(results) > MOST_COMPARED:
        context.warn(f"{context.stage_name} looks at the first {MOST_COMPARED:,} documents")
        results = results[:MOST_COMPARED]
    if not results:
        return []
    relevance = [number_of(found(result.read(parameters.score_field))) or 0.0 for result in results]
    picked = order_by_mmr(relevance, _similarity(parameters, context, results), parameters.balance, parameters.top_k)
    for place, score in picked:
        results[place].write(parameters.mmr_score_field, score)
    return [results[place] for place, _ in picked]


def _similarity(parameters: Parameters, context: Context, results: list[Result]) -> Matrix:
    import numpy as np

    from mixpeek.retrieval.diversity import similarity_of_fields

    if parameters.diversity_fields:
        values = {name: [found(result.read(name)) for result in results] for name in parameters.diversity_fields}
        return similarity_of_fields(values, parameters.diversity_field_weights or {})
    weighted = [
        (find_spaces(feature.feature_uri, context.targets, context.bound), feature.weight)
        for feature in parameters.features
    ]
    weighted = weighted or [(_searched_first(context, results), 1.0)]
    total = sum(weight for _, weight in weighted) or 1.0
    whole = np.zeros((len(results), len(results)))
    for spaces, weight in weighted:
        # What cannot be compared is different enough.
        alike = likeness_of(context, results, spaces, metric=parameters.similarity_metric, unknown=0.0)
        whole += weight / total * alike
    return whole


def _searched_first(context: Context, results: list[Result]) -> list[Space]:
    """Return the spaces of the vectors by which each collection's documents were found first."""
    first: dict[str, str] = {}
    vectors = {feature["feature_uri"] for target in context.targets for feature in target.features}
    for result in results:
        for uri in result.features:
            if uri in vectors:
                first.setdefault(result.collection_id, uri)
    if not first:
        raise InvalidRequest(
            f"{context.stage_name} does not know in what documents should differ: no vector was searched before it",
            hint="Name `diversity_feature_uri` or `diversity_fields`",
        )
    return [
        space
        for uri in dict.fromkeys(first.values())
        for space in find_spaces(uri, [each for each in context.targets if first.get(each.collection_id) == uri], None)
    ]


KIND = StageKind(
    "mmr", "sort", "Diversify documents by maximal marginal relevance", Parameters, run, check, icon="shuffle"
)
