"""`feature_search`: embed the query with the plugin that made the vectors, search each feature, fuse.

Fusion is reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): score = Σ 1 / (60 + rank).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from mixpeek.collections.models import Collection
from mixpeek.contract.features import FeatureUri
from mixpeek.contract.versions import normalise_version
from mixpeek.documents.port import Index
from mixpeek.errors import InvalidRequest, PluginReplyInvalid
from mixpeek.examination.vectors import fault_of_vector, vector_from_reply
from mixpeek.registry.models import PluginVersion
from mixpeek.retrieval.models import Context, Result
from mixpeek.wire import WireModel

RRF_CONSTANT = 60


class Query(WireModel):
    input_mode: Literal["text", "vector"] = "text"
    value: Any

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """Accept a bare string, and the older `text` key."""
        if isinstance(value, str):
            return {"input_mode": "text", "value": value}
        if isinstance(value, dict) and "text" in value and "value" not in value:
            return {**{k: v for k, v in value.items() if k != "text"}, "value": value["text"]}
        return value


class Search(WireModel):
    feature_uri: str
    query: Query
    top_k: int = Field(100, ge=1, le=10_000)
    min_score: float | None = None


class Parameters(WireModel):
    searches: list[Search] = Field(min_length=1)
    final_top_k: int = Field(25, ge=1, le=10_000)
    fusion: Literal["rrf"] = "rrf"

    @model_validator(mode="after")
    def _final_within_each(self) -> Parameters:
        smallest = min(search.top_k for search in self.searches)
        if "final_top_k" not in self.model_fields_set:
            self.final_top_k = min(self.final_top_k, smallest)
        if self.final_top_k > smallest:
            raise ValueError(f"final_top_k ({self.final_top_k}) must not exceed the smallest top_k ({smallest})")
        return self


def check(parameters: Parameters, collections: list[Collection]) -> None:
    """Refuse a feature that none of the retriever's collections has.

    Raises: InvalidRequest: with the feature URIs there are.
    """
    for search in parameters.searches:
        _indexed(search.feature_uri, collections)


def run(parameters: Parameters, context: Context, _results: list[Result] | None) -> list[Result]:
    """Return the nearest documents over all searches, best first."""
    ranked = [_search(search, context) for search in parameters.searches]
    if len(ranked) == 1:
        return ranked[0][: parameters.final_top_k]
    return _fuse(ranked)[: parameters.final_top_k]


def _search(search: Search, context: Context) -> list[Result]:
    results = list[Result]()
    # Vectors of two versions are not comparable: each is asked with a query that it embedded itself.
    for found in _by_version(_indexed(search.feature_uri, context.collections)):
        collection, index = found[0]
        vector = _query_vector(search.query, collection, index, context)
        hits = context.documents.search(
            context.connection,
            [Index(c.collection_id, c.live_generation) for c, _ in found],
            index["name"],
            vector,
            index["distance"],
            search.top_k,
        )
        uri = index["feature_uri"]
        results += [
            Result(hit.document_id, hit.collection_id, hit.score, {uri: hit.score})
            for hit in hits
            if search.min_score is None or hit.score >= search.min_score
        ]
    return sorted(results, key=lambda result: (-result.score, result.document_id))[: search.top_k]


def _by_version(found: list[tuple[Collection, dict[str, Any]]]) -> list[list[tuple[Collection, dict[str, Any]]]]:
    groups: dict[tuple[str, str], list[tuple[Collection, dict[str, Any]]]] = {}
    for collection, index in found:
        groups.setdefault((collection.plugin_namespace, collection.plugin_id), []).append((collection, index))
    return list(groups.values())


def _query_vector(query: Query, collection: Collection, index: dict[str, Any], context: Context) -> list[float]:
    if query.input_mode == "vector":
        if not isinstance(query.value, list) or len(query.value) != index["dimensions"]:
            raise InvalidRequest(f"The query vector must be a list of {index['dimensions']} numbers")
        return [float(number) for number in query.value]
    if not isinstance(query.value, str) or not query.value.strip():
        raise InvalidRequest("The query text is empty", hint="Send the words to search for in `inputs`")
    version = context.find_version(collection.plugin_namespace, collection.plugin_id)
    feature = next(f for f in version.parsed_manifest.embeddings if f.feature_name == index["name"])
    inputs = _text_inputs(query.value, version)
    reply = context.predict(version, inputs, collection.feature_extractor["parameters"])
    only = len(version.parsed_manifest.embeddings) == 1
    vector = vector_from_reply(reply, feature, only_feature=only)
    fault = fault_of_vector(vector, feature)
    if fault or vector is None:
        keys = sorted(reply) if isinstance(reply, dict) else type(reply).__name__
        raise PluginReplyInvalid(
            f"The query could not be embedded: {fault}; {version.plugin_id} answered with {keys}",
            hint="POST …/realtime/test shows the reply; return the vector under the feature's name or `embedding`",
        )
    return vector


def _text_inputs(text: str, version: PluginVersion) -> dict[str, Any]:
    """Return the realtime inputs of a text query: `text`, and the plugin's own input when it has just one."""
    properties = version.parsed_manifest.input_schema.get("properties", {})
    names = [name for name, schema in properties.items() if schema.get("type") == "string"]
    return {"text": text, **({names[0]: text} if len(names) == 1 else {})}


def _indexed(feature_uri: str, collections: list[Collection]) -> list[tuple[Collection, dict[str, Any]]]:
    """Return the collections that have this feature, each with its vector index."""
    known = {index["feature_uri"] for collection in collections for index in collection.features}
    hint = f"These collections have: {', '.join(sorted(known)) or 'no vector index'}"
    try:
        wanted = FeatureUri.parse(feature_uri)
        version = normalise_version(wanted.version)
    except ValueError as error:
        raise InvalidRequest(str(error), hint=hint) from error
    wanted = FeatureUri(wanted.extractor, version, wanted.feature)
    meant = [(collection, collection.find_feature(wanted)) for collection in collections]
    found = [(collection, index) for collection, index in meant if index is not None]
    if not found:
        raise InvalidRequest(f"No collection of this retriever has the feature {feature_uri}", hint=hint)
    return found


def _fuse(ranked: list[list[Result]]) -> list[Result]:
    fused: dict[str, Result] = {}
    for results in ranked:
        for rank, result in enumerate(results, start=1):
            into = fused.setdefault(result.document_id, Result(result.document_id, result.collection_id, 0.0))
            into.score += 1.0 / (RRF_CONSTANT + rank)
            into.features.update(result.features)
    return sorted(fused.values(), key=lambda result: (-result.score, result.document_id))
