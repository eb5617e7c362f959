"""`document_enrich`: fields of other documents, joined by a field's value or found by another retriever."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.filters.model import Condition, Operator
from mixpeek.filters.query import Query
from mixpeek.filters.surface import MISSING
from mixpeek.retrieval.context import MOST_RESULTS, Context
from mixpeek.retrieval.narrowing import read_filter
from mixpeek.retrieval.queries import list_targets
from mixpeek.retrieval.results import OWN, Flow, Result, found, hashable, put
from mixpeek.retrieval.stages.kind import StageKind, WrittenField
from mixpeek.retrieval.templates import render
from mixpeek.wire import WireModel

# Each document runs the other retriever once.
MOST_RUNS = 100
MOST_DEPTH = 2
_DEFAULTS = {
    "target_collection_id": "{{COLLECTION_ID}}",
    "source_field": "source_object_id",
    "target_field": "document_id",
}


class Parameters(WireModel):
    """Where the other documents are, and what to take of them."""

    target_collection_id: str | None = Field(None, description="Id or name; for a join.")
    source_field: str | None = Field(None, description="For a join: the field of the document that comes in.")
    target_field: str | None = Field(None, description="For a join: the field there that holds the same value.")
    retriever_id: str | None = Field(None, description="Id or name of a retriever that finds them instead.")
    retriever_config: dict[str, Any] | None = Field(None, description="A retriever that is not kept, likewise.")
    retriever_inputs: dict[str, Any] | None = Field(None, description='Its inputs, as `{"query": "{{DOC.title}}"}`.')
    fields_to_merge: list[str] | None = Field(None, min_length=1, description="Default all fields.")
    output_field: WrittenField | None = Field(None, description="Where they go; default the document's root.")
    strategy: Literal["enrich", "replace", "append"] = Field(
        "enrich", description="`enrich` adds fields; `replace` puts them in place of its own; `append` adds to a list."
    )
    when: dict[str, Any] | None = Field(None, description="Documents that do not pass this filter stay as they are.")
    allow_missing: bool = Field(True, description="Else a document without a match is left out.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_clients(cls, value: Any) -> Any:
        """Leave out what a client's model has by default, also where a retriever finds the other documents."""
        if isinstance(value, dict) and (value.get("retriever_id") or value.get("retriever_config")):
            return {key: item for key, item in value.items() if _DEFAULTS.get(key, MISSING) != item}
        return value

    @model_validator(mode="after")
    def _says_how(self) -> Parameters:
        by_retriever = self.retriever_id is not None or self.retriever_config is not None
        if self.retriever_id is not None and self.retriever_config is not None:
            raise ValueError("send either `retriever_id` or `retriever_config`")
        if by_retriever and (self.source_field or self.target_field):
            raise ValueError("`source_field` and `target_field` are for a join, which takes no retriever")
        if not by_retriever and not (self.target_collection_id and self.source_field and self.target_field):
            raise ValueError("a join takes `target_collection_id`, `source_field` and `target_field`")
        if self.strategy == "append" and self.output_field is None:
            raise ValueError("`append` needs an `output_field` to append to")
        own = sorted(OWN & {name.partition(".")[0] for name in self.fields_to_merge or ()})
        if own and self.output_field is None:
            raise ValueError(f"the document has a `{own[0]}` itself; name an `output_field` for that of the other one")
        if self.output_field == "score":
            raise ValueError("a `score` is a number, and what is found are fields; name another `output_field`")
        return self


def run(parameters: Parameters, context: Context, flow: Flow) -> Flow:
    """Return the documents with what was found for them."""
    results = context.results_of(flow)
    when = read_filter(parameters.when, context.inputs)
    chosen = [result for result in results if result.passes(when)]
    by_join = parameters.retriever_id is None and parameters.retriever_config is None
    matches = _joined(parameters, context, chosen) if by_join else _retrieved(parameters, context, chosen)
    for result, match in zip(chosen, matches, strict=True):
        if match is not None:
            _merge(parameters, result, match)
    unmatched = {id(result) for result, match in zip(chosen, matches, strict=True) if match is None}
    context.metadata |= {"enriched": len(chosen) - len(unmatched), "without_match": len(unmatched)}
    return results if parameters.allow_missing else [each for each in results if id(each) not in unmatched]


def _joined(parameters: Parameters, context: Context, results: list[Result]) -> list[dict[str, Any] | None]:
    """Return for each document the first one there, by id, that holds its value."""
    assert parameters.target_collection_id is not None
    assert parameters.source_field is not None
    assert parameters.target_field is not None
    targets = list_targets(context.reading.connection, context.namespace_id, [parameters.target_collection_id])
    if not targets:
        raise NotFound("collection", parameters.target_collection_id)
    values = [found(result.read(parameters.source_field)) for result in results]
    wanted = list({hashable(value): value for value in values if value is not None}.values())
    if not wanted:
        return [None] * len(results)
    same = Condition(parameters.target_field, Operator.IN, wanted, case_sensitive=True)
    page = context.store.query(context.reading.connection, targets[0].index, Query(MOST_RESULTS, filter=same))
    if page.after is not None:
        context.warn(
            f"{context.stage_name} looked at the first {MOST_RESULTS:,} matches in {targets[0].collection_name}"
        )
    by_value: dict[Any, dict[str, Any]] = {}
    for row in page.rows:
        held = Result(row.document_id, row.collection_id, 0.0, stored=row).read(parameters.target_field)
        # A condition on a list holds where one of its items does, or the whole list is the same.
        for value in [held, *held] if isinstance(held, list) else [held]:
            by_value.setdefault(hashable(value), row.wire())
            by_value.setdefault(("text", str(value)), row.wire())
    return [
        None if value is None else by_value.get(hashable(value), by_value.get(("text", str(value)))) for value in values
    ]


def _retrieved(parameters: Parameters, context: Context, results: list[Result]) -> list[dict[str, Any] | None]:
    """Return for each document the best one that another retriever finds."""
    if context.depth >= MOST_DEPTH:
        raise InvalidRequest(
            f"Retrievers enrich by retrievers {MOST_DEPTH} deep at most", hint="Join by a field instead"
        )
    if len(results) > MOST_RUNS:
        context.warn(f"{context.stage_name} enriched the first {MOST_RUNS} documents; put a `limit` before it")
    matches: list[dict[str, Any] | None] = []
    for result in results[:MOST_RUNS]:
        context.check_time()
        inputs = render(parameters.retriever_inputs or {}, context.inputs, doc=result.wire())
        matches.append(context.nested(context, parameters.retriever_id or parameters.retriever_config, inputs))
    return matches + [None] * (len(results) - len(matches))


def _merge(parameters: Parameters, result: Result, match: dict[str, Any]) -> None:
    if parameters.fields_to_merge is None:
        taken = {name: value for name, value in match.items() if name not in OWN}
    else:
        other = Result("", "", 0.0, fields=match)
        taken = {}
        for name in parameters.fields_to_merge:
            # What the answer says of the other one beside its fields is not among these.
            value = _inside(match, name) if name.partition(".")[0] in OWN else other.read(name)
            if value is not MISSING:
                put(taken, name, value)
    if parameters.strategy == "append":
        assert parameters.output_field is not None
        before = found(result.read(parameters.output_field))
        result.write(parameters.output_field, [*(before if isinstance(before, list) else []), taken])
    elif parameters.output_field is not None:
        result.write(parameters.output_field, taken)
    elif parameters.strategy == "replace":
        result.fields = taken
    else:
        for name, value in taken.items():
            result.write(name, value)


def _inside(match: dict[str, Any], name: str) -> Any:
    value: Any = match
    for step in name.split("."):
        value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
    return value


KIND = StageKind(
    "document_enrich",
    "enrich",
    "Add fields of documents of another collection, by a join or by a retriever",
    Parameters,
    run,
    per_document=frozenset({"retriever_inputs", "retriever_config"}),
    icon="combine",
)
