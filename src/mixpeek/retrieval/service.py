"""Creating retrievers, checked against what they search, and executing them."""

from __future__ import annotations

import time
from typing import Any

from pydantic import ValidationError

from mixpeek.collections.models import Collection
from mixpeek.collections.service import get_collection
from mixpeek.db.pool import Connection, Database, new_id
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.errors import AlreadyExists, InvalidRequest, NotFound
from mixpeek.registry.service import Registry
from mixpeek.retrieval import queries
from mixpeek.retrieval.models import Context, Predict, Result, Retriever
from mixpeek.retrieval.schemas import CreateRetriever, Execute
from mixpeek.retrieval.stages import STAGES, StageKind
from mixpeek.retrieval.templates import render
from mixpeek.wire import WireModel


def create_retriever(connection: Connection, namespace_id: str, body: CreateRetriever) -> Retriever:
    """Create a retriever whose every stage fits its collections.

    Raises: NotFound: no such collection. InvalidRequest: an unknown stage, parameter or feature.
    """
    collections = [get_collection(connection, namespace_id, name) for name in body.collection_identifiers]
    for place, stage in enumerate(body.stages):
        kind = _kind(stage.config.stage_id)
        parameters = _parameters(kind, stage.config.parameters, f"stages[{place}].config.parameters")
        kind.check(parameters, collections)
    retriever_id = new_id("ret")
    inserted = queries.insert_retriever(
        connection,
        {
            "retriever_id": retriever_id,
            "namespace_id": namespace_id,
            "retriever_name": body.retriever_name,
            "description": body.description,
            "collection_ids": [collection.collection_id for collection in collections],
            "stages": [stage.model_dump() for stage in body.stages],
            "input_schema": {name: declared.model_dump() for name, declared in body.input_schema.items()},
            "tags": body.tags,
        },
    )
    if not inserted:
        raise AlreadyExists(
            f"There is a retriever named {body.retriever_name!r} already", hint="Use it, or pick another name"
        )
    return get_retriever(connection, namespace_id, retriever_id)


def get_retriever(connection: Connection, namespace_id: str, identifier: str) -> Retriever:
    """Return the retriever with this id or name."""
    retriever = queries.find_retriever(connection, namespace_id, identifier)
    if retriever is None:
        raise NotFound("retriever", identifier)
    return retriever


class Executor:
    """Executes retrievers: stage after stage, each measured."""

    def __init__(self, database: Database, documents: DocumentStore, registry: Registry, predict: Predict) -> None:
        self._database = database
        self._documents = documents
        self._registry = registry
        self._predict = predict

    def execute(self, namespace_id: str, identifier: str, body: Execute, *, return_vectors: bool) -> dict[str, Any]:
        """Run a retriever and return the documented response."""
        began = time.perf_counter()
        with self._database.transaction() as connection:
            retriever = get_retriever(connection, namespace_id, identifier)
            collections = [get_collection(connection, namespace_id, c) for c in retriever.collection_ids]
            context = Context(
                connection=connection,
                documents=self._documents,
                collections=collections,
                inputs=check_inputs(retriever, body.inputs),
                find_version=lambda namespace, plugin: self._registry.get(connection, namespace, plugin),
                predict=self._predict,
                warnings=[],
            )
            results, statistics = _run_stages(retriever, context)
            page = body.pagination
            size, number = (page.page_size, page.page_number) if page else (len(results) or 1, 1)
            shown = results[(number - 1) * size : number * size]
            documents = self._documents_of(connection, collections, shown, return_vectors=return_vectors)
        elapsed = (time.perf_counter() - began) * 1000
        return {
            "execution_id": new_id("exec"),
            "retriever_id": retriever.retriever_id,
            "status": "completed",
            "documents": documents,
            "results": documents,
            "warnings": context.warnings,
            "pagination": {"next_cursor": None, "has_next": number * size < len(results), "total": len(results)},
            "stage_statistics": {"stages": statistics, "total_time_ms": elapsed, "credits_used": 0},
            "budget": {"credits_used": 0, "credits_remaining": None, "time_used_ms": elapsed},
            "error": None,
            "optimization_applied": False,
            "optimization_summary": None,
        }

    def _documents_of(
        self, connection: Connection, collections: list[Collection], results: list[Result], *, return_vectors: bool
    ) -> list[dict[str, Any]]:
        indexes = [Index(c.collection_id, c.live_generation) for c in collections]
        ids = [result.document_id for result in results]
        found = self._documents.fetch(connection, indexes, ids, vectors=return_vectors)
        return [
            {
                **found[result.document_id].wire(),
                "score": result.score,
                "features": {uri: {"score": score} for uri, score in result.features.items()},
            }
            for result in results
            if result.document_id in found
        ]


def check_inputs(retriever: Retriever, given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with defaults filled in.

    Raises: InvalidRequest: a required input is missing, or one is given that the retriever does not declare.
    """
    declared = retriever.input_schema
    unknown = sorted(set(given) - set(declared)) if declared else []
    if unknown:
        raise InvalidRequest(
            f"This retriever takes no input {unknown[0]!r}", hint=f"It takes: {', '.join(sorted(declared))}"
        )
    missing = [
        n for n, d in declared.items() if d.get("required") and given.get(n) is None and d.get("default") is None
    ]
    if missing:
        raise InvalidRequest(f"Input {missing[0]!r} is required", hint="Send it under `inputs`")
    defaults = {n: d["default"] for n, d in declared.items() if d.get("default") is not None}
    return {**defaults, **given}


def _run_stages(retriever: Retriever, context: Context) -> tuple[list[Result], dict[str, Any]]:
    results: list[Result] | None = None
    statistics: dict[str, Any] = {}
    for place, stage in enumerate(retriever.stages):
        began = time.perf_counter()
        kind = _kind(stage["config"]["stage_id"])
        filled = render(stage["config"]["parameters"], context.inputs)
        parameters = _parameters(kind, filled, f"stages[{place}].config.parameters")
        before = len(results or [])
        results = kind.run(parameters, context, results)
        statistics[stage["stage_name"]] = {
            "input_count": before,
            "output_count": len(results),
            "duration_ms": (time.perf_counter() - began) * 1000,
            "efficiency": 0,
            "cache_hit": False,
            "error": None,
            "metadata": {},
        }
    return results or [], statistics


def _kind(stage_id: str) -> StageKind:
    kind = STAGES.get(stage_id)
    if kind is None:
        raise InvalidRequest(f"There is no stage {stage_id!r}", hint=f"Stages: {', '.join(sorted(STAGES))}")
    return kind


def _parameters(kind: StageKind, given: dict[str, Any], place: str) -> WireModel:
    try:
        return kind.parameters.model_validate(given)
    except ValidationError as error:
        lines = [
            {"type": e["type"], "location": [place, *e["loc"]], "message": e["msg"]}
            for e in error.errors(include_url=False)
        ]
        first = lines[0]
        where = ".".join(str(part) for part in first["location"])
        raise InvalidRequest(f"{where}: {first['message']}", validation_errors=lines) from error
