"""`rerank`: documents in the order that a deployed plugin gives them, asked with the query and their texts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from pydantic import Field

from mixpeek.errors import InvalidRequest, NotFound, PluginReplyInvalid
from mixpeek.filters.surface import MISSING
from mixpeek.retrieval.context import MOST_RESULTS, Context
from mixpeek.retrieval.results import Flow, number_of
from mixpeek.retrieval.stages.kind import StageKind, WrittenField
from mixpeek.retrieval.templates import render
from mixpeek.wire import WireModel

SHAPES = '`{"scores": [0.9, 0.1]}` in the order of `documents`, or `{"results": [{"index": 0, "score": 0.9}]}`'


class Parameters(WireModel):
    """Which plugin to ask, and with what."""

    inference_name: str = Field(
        min_length=1, description="Name or id of a deployed plugin; it gets `query` and `documents`, a list of texts."
    )
    query: str | None = Field(None, description="Default `{{INPUT.query}}`.")
    document_field: str = Field("content", min_length=1)
    top_k: int | None = Field(None, ge=1, le=MOST_RESULTS, description="Default all.")
    score_field: WrittenField = "scores.rerank"
    batch_size: int = Field(32, ge=1, le=100)
    max_document_chars: int = Field(2000, ge=100, le=50_000)
    max_concurrent_batches: int = Field(3, ge=1, le=10)


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents best first; those without the field come last, as they came."""
    results = context.results_of(flow)
    # What was given is filled in already, and must not be read as a template again.
    query = render("{{INPUT.query}}", context.inputs) if parameters.query is None else parameters.query
    if not isinstance(query, str) or not query.strip():
        raise InvalidRequest("The query of `rerank` is empty", hint="Send it under `inputs`")
    texts = [_text_of(result.read(parameters.document_field)) for result in results]
    asked = [(result, text) for result, text in zip(results, texts, strict=True) if text is not None]
    without = [result for result, text in zip(results, texts, strict=True) if text is None]
    if without:
        context.warn(f"{len(without)} documents have no text in {parameters.document_field} to rerank by")
    context.reading.release()
    scores = _scores(parameters, context, query, [text[: parameters.max_document_chars] for _, text in asked])
    for (result, _), score in zip(asked, scores, strict=True):
        result.write(parameters.score_field, score)
    places = sorted(range(len(asked)), key=lambda place: -scores[place])
    return ([asked[place][0] for place in places] + without)[: parameters.top_k]


def _scores(parameters: Parameters, context: Context, query: str, texts: list[str]) -> list[float]:
    size = parameters.batch_size
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]

    def ask(batch: list[str]) -> list[float]:
        context.check_time()
        inputs = {"query": query, "documents": batch}
        try:
            reply = context.tools.infer(context.namespace_id, parameters.inference_name, inputs, {})
        except NotFound as error:
            raise InvalidRequest(
                f"There is no reranker {parameters.inference_name!r}: none comes with this server",
                hint="Publish and deploy a plugin whose realtime handler scores `documents` for `query`; name it here",
            ) from error
        return scores_from_reply(reply, len(batch), parameters.inference_name)

    if len(batches) < 2:
        return [score for batch in batches for score in ask(batch)]
    with ThreadPoolExecutor(parameters.max_concurrent_batches, thread_name_prefix="rerank") as pool:
        under_way = [pool.submit(copy_context().run, ask, batch) for batch in batches]
        return [score for each in under_way for score in each.result()]


def scores_from_reply(reply: Any, count: int, name: str) -> list[float]:
    """Return one score per document from a plugin's reply.

    Raises: PluginReplyInvalid: it has another shape.
    """
    values = reply
    if isinstance(reply, dict):
        values = reply.get("scores")
        if isinstance(reply.get("results"), list) and values is None:
            values = _by_index(reply["results"], count)
    numbers = [number_of(value) for value in values] if isinstance(values, list) else []
    if len(numbers) != count or any(number is None for number in numbers):
        shown = sorted(reply) if isinstance(reply, dict) else type(reply).__name__
        raise PluginReplyInvalid(
            f"{name} did not score {count} documents; it answered with {shown}", hint=f"It has to return {SHAPES}"
        )
    return [number for number in numbers if number is not None]


def _by_index(entries: list[Any], count: int) -> list[Any]:
    values: list[Any] = [None] * count
    for entry in entries:
        place = entry.get("index") if isinstance(entry, dict) else None
        if isinstance(place, int) and 0 <= place < count:
            values[place] = entry.get("score", entry.get("relevance_score"))
    return values


def _text_of(value: Any) -> str | None:
    return value if value is not MISSING and isinstance(value, str) and value.strip() else None


KIND = StageKind(
    "rerank", "sort", "Reorder documents by the scores of a deployed plugin", Parameters, run, icon="arrow-down-up"
)
