"""`feature_search`: embed the query with the plugin that made the vectors, search each feature, fuse.

A feature called `text` that no plugin makes is searched by words (BM25), so that two searches are a hybrid one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.versions import plugin_id_from
from mixpeek.documents.port import Hit
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.filters.model import EVERYTHING, Filter
from mixpeek.filters.query import Query as Listed
from mixpeek.retrieval.context import MOST_RESULTS, Context
from mixpeek.retrieval.embedding import checked_vector, embed
from mixpeek.retrieval.fusion import fuse
from mixpeek.retrieval.grouping import OutputMode, flatten, group_results
from mixpeek.retrieval.narrowing import narrow, of_collections, read_filter, within
from mixpeek.retrieval.queries import list_targets
from mixpeek.retrieval.results import Flow, Result, Scan, hashable
from mixpeek.retrieval.stages.kind import StageKind
from mixpeek.retrieval.targets import Bound, Searched, Space, Target, find_searched, targets_named
from mixpeek.wire import WireModel

# A search that finds up to so many times what is kept of it reads the documents at once.
READ_AT_ONCE = 2
# What scores are measured by that are no vector's.
WORDS = "words"


class DocumentRef(WireModel):
    """A document whose own vector is the query."""

    collection_id: str | None = Field(None, description="Id or name; default one of the retriever's collections.")
    document_id: str


class Content(WireModel):
    """Content as older documents write it."""

    url: str | None = None
    base64: str | None = None


class Query(WireModel):
    """What to look for: words, content, a vector, or another document."""

    input_mode: Literal["text", "content", "vector", "document"] = "text"
    value: Any = None
    document_ref: DocumentRef | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:  # noqa: PLR0911 - one for each form
        """Accept a bare string, a bare vector, and the older keys `text` and `content`."""
        if value is None or isinstance(value, str):
            return {"input_mode": "text", "value": value}
        if isinstance(value, list):
            return {"input_mode": "vector", "value": value}
        if not isinstance(value, dict):
            return value
        value = {key: item for key, item in value.items() if item is not None or key == "value"}
        if "text" in value and value.get("value") is None:
            rest = {key: item for key, item in value.items() if key not in ("text", "value")}
            return {"input_mode": "text", **rest, "value": value["text"]}
        if "content" in value and value.get("value") is None:
            content = Content.model_validate(value["content"]) if isinstance(value["content"], dict) else None
            rest = {key: item for key, item in value.items() if key not in ("content", "value")}
            return {
                "input_mode": "content",
                **rest,
                "value": (content.url or content.base64) if content else value["content"],
            }
        if "document_ref" in value and "input_mode" not in value:
            return {**value, "input_mode": "document"}
        return value

    @model_validator(mode="after")
    def _has_its_own(self) -> Query:
        if (self.input_mode == "document") != (self.document_ref is not None):
            raise ValueError('`document_ref` goes with `"input_mode": "document"`, and with no other')
        return self

    @property
    def is_empty(self) -> bool:
        if self.input_mode == "document":
            return False
        return self.value is None or (isinstance(self.value, str) and not self.value.strip()) or self.value == []


class Search(WireModel):
    """One feature to search, and what for."""

    feature_uri: str = Field(
        description="`mixpeek://extractor@version/feature`; the feature `text` is searched by words, with BM25. `*` is"
        " the first vector of each collection, `*/text` its words."
    )
    query: Query
    top_k: int = Field(100, ge=1, le=MOST_RESULTS)
    min_score: float | None = Field(None, description="What scores less is left out, before fusion.")
    weight: float = Field(1.0, ge=0, description="In `weighted` fusion.")
    on_empty: Literal["error", "skip", "random"] = Field("error", description="What an empty query means.")
    filters: dict[str, Any] | None = Field(None, description="Only for this search; see `pre_filters`.")
    collection_identifiers: list[str] | None = Field(None, description="Of the retriever's; ids or names.")
    query_preprocessing: dict[str, Any] | None = Field(None, description="Not served.")


class GroupBy(WireModel):
    """Group what is found by a field."""

    other_names: ClassVar[dict[str, str]] = {"group_size": "max_per_group"}

    field: str
    max_per_group: int = Field(1, ge=1, le=100)
    limit: int = Field(25, ge=1, le=1000, description="Groups at most; stands in for `final_top_k`.")
    output_mode: OutputMode = "all"


class Facet(WireModel):
    """Count the values of a field among all documents that pass the filters."""

    other_names: ClassVar[dict[str, str]] = {"field": "key"}

    key: str
    limit: int = Field(10, ge=1, le=1000)
    exact: bool = Field(False, description="Counts are always exact here.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"key": value} if isinstance(value, str) else value


class Parameters(WireModel):
    """One or several searches, made one ranking."""

    searches: list[Search] = Field(default_factory=list, max_length=20)
    final_top_k: int = Field(25, ge=1, le=MOST_RESULTS, description="After fusion; at most the smallest `top_k`.")
    fusion: Literal["rrf", "dbsf", "weighted", "max", "learned"] = "rrf"
    learning_config: dict[str, Any] | None = Field(None, description="Not served.")
    pre_filters: dict[str, Any] | None = Field(None, description="As beside `parameters`; case matters.")
    collection_identifiers: list[str] | None = Field(None, description="Of the retriever's; ids or names.")
    group_by: GroupBy | None = None
    facets: list[Facet] | None = Field(None, max_length=20)
    query_preprocessing: dict[str, Any] | None = Field(None, description="Not served.")
    cache_behavior: Literal["auto", "disabled", "aggressive"] = Field(
        "auto", description="Whether a query's vector is remembered; `aggressive` is as `auto`."
    )
    cache_ttl_seconds: int | None = Field(None, ge=0, description="How long a remembered vector is good for.")

    @field_validator("fusion")
    @classmethod
    def _is_served(cls, value: str) -> str:
        if value == "learned":
            raise ValueError("`learned` fusion is not served; use rrf, dbsf, weighted or max")
        return value

    @field_validator("learning_config")
    @classmethod
    def _is_not_served(cls, value: Any) -> Any:
        if value is not None:
            raise ValueError("`learned` fusion is not served, and neither is its `learning_config`")
        return value

    @model_validator(mode="after")
    def _final_within_each(self) -> Parameters:
        if self.query_preprocessing or any(search.query_preprocessing for search in self.searches):
            raise ValueError("`query_preprocessing` is not served; split a large input, one search for each part")
        if not self.searches:
            return self
        smallest = min(search.top_k for search in self.searches)
        if "final_top_k" not in self.model_fields_set:
            self.final_top_k = min(self.final_top_k, smallest)
        if self.final_top_k > smallest:
            raise ValueError(f"final_top_k ({self.final_top_k}) must not exceed the smallest top_k ({smallest})")
        return self


def check(parameters: Parameters, targets: Sequence[Target], bound: Bound) -> None:
    """Refuse a feature that none of the retriever's collections has.

    Raises: InvalidRequest: with the feature URIs there are.
    """
    of_stage = targets_named(targets, parameters.collection_identifiers)
    for search in parameters.searches:
        find_searched(search.feature_uri, _confined(targets, of_stage, search), bound)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the nearest documents over all searches, best first, out of those that come in.

    What the stages before made of a document stays with it.
    """
    flow = narrow(context, flow, read_filter(parameters.pre_filters, context.inputs))
    if isinstance(flow, Scan) and flow.is_cut:
        flow = context.results_of(flow)
    if isinstance(flow, list) and not flow:
        context.facets |= {facet.key: [] for facet in parameters.facets or ()}
        return []
    of_stage = targets_named(context.targets, parameters.collection_identifiers)
    ranked: list[tuple[Search, Searched, list[Result]]] = []
    for search in parameters.searches:
        searched = find_searched(search.feature_uri, _confined(context.targets, of_stage, search), context.bound)
        found = _search(search, parameters, context, flow, searched)
        if found is not None:
            ranked.append((search, searched, found))
    if parameters.facets:
        where = within(context, flow)
        for facet in parameters.facets:
            context.facets[facet.key] = _facet(facet, context, where, of_stage)
    if not ranked:
        return _unsearched(parameters, context, flow, of_stage)
    results = ranked[0][2]
    if len(ranked) > 1:
        assert parameters.fusion != "learned"
        weights = [search.weight for search, _, _ in ranked]
        scales = {scale for _, searched, _ in ranked for scale in scales_of(searched)}
        comparable = len(scales) == 1 and WORDS not in scales
        results = fuse([found for _, _, found in ranked], parameters.fusion, weights, comparable=comparable)
    if isinstance(flow, list):
        _carry_over(flow, results)
    if parameters.group_by is not None:
        return _grouped(parameters.group_by, context, results)
    return results[: parameters.final_top_k]


def _confined(targets: Sequence[Target], of_stage: Sequence[Target], search: Search) -> Sequence[Target]:
    """Return what a search looks at: its own collections, else those of its stage."""
    return targets_named(targets, search.collection_identifiers) if search.collection_identifiers else of_stage


def scales_of(searched: Searched) -> set[str]:
    """Return what the scores of a search are measured by: one or several metrics, or words."""
    return {WORDS} if searched.text else {space.feature["distance"] for space in searched.spaces}


def _carry_over(before: Sequence[Result], results: Sequence[Result]) -> None:
    """Give results what the stages before made of the same documents; only their scores are new."""
    known = {each.document_id: each for each in before}
    for result in results:
        was = known[result.document_id]
        result.fields, result.bare, result.group = was.fields, was.bare, was.group
        result.scores = was.scores
        result.features = {**was.features, **result.features}
        result.stored = result.stored or was.stored


def _unsearched(parameters: Parameters, context: Context, flow: Flow, targets: Sequence[Target]) -> Flow:
    """Return what comes in as it is, where no search was made; of all documents there are only what a filter says."""
    if flow == Scan():
        context.warn("Every search had an empty query and was skipped, and there is no filter: nothing was looked for")
        return []
    if parameters.collection_identifiers:
        flow = narrow(context, flow, of_collections([target.collection_id for target in targets]))
    if parameters.group_by is not None:
        return _grouped(parameters.group_by, context, context.results_of(flow))
    return replace(flow, limit=parameters.final_top_k) if isinstance(flow, Scan) else flow[: parameters.final_top_k]


def _search(
    search: Search, parameters: Parameters, context: Context, flow: Flow, searched: Searched
) -> list[Result] | None:
    """Return what one search finds, best first; None for one that is skipped."""
    context.check_time()
    query = search.query
    where = within(context, narrow(context, flow, read_filter(search.filters, context.inputs)))
    if query.is_empty:
        if search.on_empty == "error":
            raise InvalidRequest(
                f"The query {'text' if query.input_mode == 'text' else query.input_mode} of"
                f" {search.feature_uri} is empty",
                hint='Send what to search for in `inputs`, or write `"on_empty": "skip"`',
            )
        return None if search.on_empty == "skip" else _random(search, context, where, searched.targets)
    if searched.text:
        return _by_words(search, context, where, searched)
    hits = [
        (space, hit)
        for space in searched.spaces
        for hit in _nearest(search, parameters, context, where, space)
        if search.min_score is None or hit.score >= search.min_score
    ]
    if len(searched.spaces) > 1:
        if len(scales_of(searched)) > 1:
            context.warn(
                f"What {search.feature_uri} leads to is compared by {' and by '.join(sorted(scales_of(searched)))};"
                " such scores do not mean the same, and the order is theirs"
            )
        hits.sort(key=lambda pair: (-pair[1].score, pair[1].document_id))
    return [
        Result(
            hit.document_id,
            hit.collection_id,
            hit.score,
            {space.feature["feature_uri"]: hit.score},
            stored=hit.document,
        )
        for space, hit in hits[: search.top_k]
    ]


def _by_words(search: Search, context: Context, where: Filter, searched: Searched) -> list[Result]:
    if search.query.input_mode != "text" or not isinstance(search.query.value, str):
        raise InvalidRequest(
            f"{search.feature_uri} is searched by words, not by {search.query.input_mode}",
            hint='Write `"query": {"input_mode": "text", "value": "…"}`, or name a vector feature',
        )
    hits = context.store.search_text(
        context.reading.connection,
        [target.index for target in searched.text],
        search.query.value,
        search.top_k,
        where=None if where == EVERYTHING else where,
    )
    return [
        Result(hit.document_id, hit.collection_id, hit.score, {search.feature_uri: hit.score})
        for hit in hits
        if search.min_score is None or hit.score >= search.min_score
    ]


def _nearest(search: Search, parameters: Parameters, context: Context, where: Filter, space: Space) -> list[Hit]:
    if space.is_other:
        names = ", ".join(target.collection_name for target in space.targets)
        context.warn(
            f"{names} holds {space.feature['feature_uri']} by now, not {search.feature_uri}; the query was embedded as"
            " its documents were"
        )
    vector = _vector(search, parameters, context, space)
    if space.feature["distance"] == "cosine" and not any(vector):
        context.warn(f"The query's vector for {search.feature_uri} is all zeros: by cosine, nothing is near it")
        return []
    # Where most of what is found will be read, it is read with the search.
    is_read = len(parameters.searches) == 1 and (
        parameters.group_by is not None or search.top_k <= READ_AT_ONCE * parameters.final_top_k
    )
    hits = context.store.search(
        context.reading.connection,
        space.indexes,
        space.feature["name"],
        vector,
        space.feature["distance"],
        search.top_k,
        where=None if where == EVERYTHING else where,
        documents=is_read,
        premise=context.premise,
    )
    context.is_confirmed = context.is_confirmed or bool(hits)
    return hits


def _vector(search: Search, parameters: Parameters, context: Context, space: Space) -> list[float]:
    query = search.query
    if query.input_mode == "document":
        assert query.document_ref is not None, "the model demands it"
        return _vector_of_document(query.document_ref, context, space)
    if query.input_mode == "vector":
        if space.is_other:
            _check_same_code(search.feature_uri, context, space)
        return checked_vector(query.value, space)
    if not isinstance(query.value, str):
        raise InvalidRequest(
            f"The query of {search.feature_uri} is {type(query.value).__name__}, not text",
            hint='A list of numbers is sent as `{"input_mode": "vector", "value": […]}`',
        )
    return embed(
        context,
        space,
        query.input_mode,
        query.value,
        remember=parameters.cache_behavior != "disabled",
        ttl_s=parameters.cache_ttl_seconds,
    )


def _check_same_code(uri: str, context: Context, space: Space) -> None:
    """Refuse a vector that was made for another version than the one that made what is searched."""
    named, target = FeatureUri.parse(uri), space.targets[0]
    plugin_id = plugin_id_from(named.extractor, named.version)
    try:
        version = context.tools.find_version(context.reading.connection, target.plugin_namespace, plugin_id)
    except NotFound:
        version = None
    if version is None or version.code_hash != target.code_hash:
        raise InvalidRequest(
            f"A vector of {uri} cannot be compared with {space.feature['feature_uri']}, which"
            f" {target.collection_name} holds by now",
            hint=f"Embed the query with {target.plugin_id}, or send its text and let it be embedded here",
        )


def _vector_of_document(reference: DocumentRef, context: Context, space: Space) -> list[float]:
    if reference.collection_id is None:
        holders = list(context.targets)
    else:
        holders = list_targets(context.reading.connection, context.namespace_id, [reference.collection_id])
        if not holders:
            raise NotFound("collection", reference.collection_id)
    document = context.store.fetch(
        context.reading.connection, [each.index for each in holders], [reference.document_id], vectors=True
    ).get(reference.document_id)
    if document is None:
        raise NotFound("document", reference.document_id)
    holder = next(each for each in holders if each.collection_id == document.collection_id)
    same = space.targets[0]
    vector = document.vectors.get(space.feature["name"])
    if vector is None or (holder.code_hash, holder.parameters) != (same.code_hash, same.parameters):
        raise InvalidRequest(
            f"Document {reference.document_id!r} has no vector of {space.feature['feature_uri']} to compare with",
            hint=f"{holder.collection_name} has: {', '.join(holder.addresses())}",
        )
    return vector


def _random(search: Search, context: Context, where: Filter, targets: Sequence[Target]) -> list[Result]:
    """Return documents in no order, out of the first that pass the filter."""
    query = Listed(limit=MOST_RESULTS, filter=where)
    rows = [
        row for target in targets for row in context.store.query(context.reading.connection, target.index, query).rows
    ]
    chosen = random.sample(rows, min(search.top_k, len(rows)))
    return [Result(row.document_id, row.collection_id, 0.0, stored=row) for row in chosen]


def _grouped(wanted: GroupBy, context: Context, results: list[Result]) -> list[Result]:
    groups = group_results(context.load(results), wanted.field, most=wanted.max_per_group, limit=wanted.limit)
    if wanted.output_mode == "all":
        context.groups = [group.wire() for group in groups]
    return flatten(groups, wanted.output_mode)


def _facet(wanted: Facet, context: Context, where: Filter, targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Return the most frequent values of a field with their counts; each item of a list counts for itself."""
    counts: Counter[Any] = Counter()
    values: dict[Any, Any] = {}
    for target in targets:
        query = Listed(limit=MOST_RESULTS, filter=where)
        page = context.store.group(context.reading.connection, target.index, query, wanted.key, each=1)
        if page.after is not None:
            context.warn(f"{wanted.key} has more than {MOST_RESULTS:,} values; its facet counts the first of them")
        for group in page.groups:
            for value in group.value if isinstance(group.value, list) else [group.value]:
                if value is not None:
                    values[hashable(value)] = value
                    counts[hashable(value)] += group.count
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(values[pair[0]])))
    return [{"value": values[key], "count": count} for key, count in ordered[: wanted.limit]]


KIND = StageKind(
    "feature_search",
    "filter",
    "Search the vectors of one or several features, and the words of documents; fused",
    Parameters,
    run,
    check,
    icon="search",
)
