"""`mmr`: documents that are relevant and unlike each other, by their vectors or by their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Flow, Result, found, number_of
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.retrieval.targets import Bound, Target, find_searched
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
    diversity_field_weights: dict[str, float] | None = None
    score_field: str = "score"
    mmr_score_field: str = "scores.mmr"
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
    """Refuse a feature that no collection has."""
    for feature in parameters.features:
        _name_of(feature.feature_uri, targets, bound)


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

    from mixpeek.retrieval.diversity import similarity_of_fields, similarity_of_vectors

    if parameters.diversity_fields:
        values = {name: [found(result.read(name)) for result in results] for name in parameters.diversity_fields}
        return similarity_of_fields(values, parameters.diversity_field_weights or {})
    features = parameters.features or [DiversityFeature(feature_uri=_searched_first(context, results))]
    context.load(results, vectors=True)
    total = sum(feature.weight for feature in features) or 1.0
    whole = np.zeros((len(results), len(results)))
    for feature in features:
        name = _name_of(feature.feature_uri, context.targets, context.bound)
        vectors = [(each.stored.vectors.get(name) if each.stored else None) for each in results]
        whole += feature.weight / total * similarity_of_vectors(vectors, parameters.similarity_metric)
    return whole


def _searched_first(context: Context, results: list[Result]) -> str:
    known = {feature["feature_uri"] for target in context.targets for feature in target.features}
    for result in results:
        for uri in result.features:
            if uri in known:
                return uri
    raise InvalidRequest(
        f"{context.stage_name} does not know in what documents should differ: no vector was searched before it",
        hint="Name `diversity_feature_uri` or `diversity_fields`",
    )


def _name_of(uri: str, targets: Sequence[Target], bound: Bound) -> str:
    spaces = find_searched(uri, targets, bound).spaces
    if not spaces:
        raise InvalidRequest(f"{uri} are words, which have no vector to differ in", hint="Name a vector feature")
    return str(spaces[0].feature["name"])


KIND = StageKind(
    "mmr", "sort", "Diversify documents by maximal marginal relevance", Parameters, run, check, icon="shuffle"
)
