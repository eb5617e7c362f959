"""Executing retrievers: at once or told stage by stage, kept ones and those that come with the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from mixpeek.api.access import HeaderNamespace, HeaderNamespaceId, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.blob_urls import with_signed_urls
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.retrievers import Execution as ExecutionAnswer
from mixpeek.api.schemas.retrievers import ExecutionPlan
from mixpeek.retrieval.context import Reading
from mixpeek.retrieval.execution import Execution
from mixpeek.retrieval.explaining import explain
from mixpeek.retrieval.recipes import check_inputs
from mixpeek.retrieval.schemas import Execute, ExecuteAdHoc, ExecuteOptions, Explain
from mixpeek.retrieval.service import get_retriever

router = APIRouter(prefix="/v1/retrievers", tags=["retrievers"])
EVENTS = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": "id: 1\nevent: stage_start\n"
        'data: {"event_type": "stage_start", "stage_name": "search", "stage_index": 0, "total_stages": 1}\n\n',
    }
}

Vectors = Annotated[bool, Query(description="Also return the vectors of documents.")]
Urls = Annotated[bool, Query(description="Also return signed URLs of their blobs.")]


@router.post("/execute", **answers(ExecutionAnswer, 404, 500, also=EVENTS))
def execute_ad_hoc(
    request: Request,
    platform: PlatformDep,
    namespace_id: HeaderNamespaceId,
    body: ExecuteAdHoc,
    return_vectors: Vectors = False,
    return_presigned_urls: Urls = False,
) -> Any:
    """Run stages that are not kept, and return the documents, best first."""
    vectors = return_vectors or bool(body.return_vectors)
    shape = _shape(request, platform, namespace_id, body, return_presigned_urls)
    execution = platform.executor.prepare_ad_hoc(namespace_id, body, vectors=vectors, shape=shape)
    return _answered(execution, body)


@router.post("/{retriever_identifier}/execute", **answers(ExecutionAnswer, 500, also=EVENTS))
def execute_retriever(
    request: Request,
    platform: PlatformDep,
    namespace_id: HeaderNamespaceId,
    retriever_identifier: str,
    body: Execute,
    return_vectors: Vectors = False,
    return_presigned_urls: Urls = False,
) -> Any:
    """Run the retriever's stages and return the documents, best first; with `stream`, tell of each stage as it ends."""
    vectors = return_vectors or bool(body.return_vectors)
    shape = _shape(request, platform, namespace_id, body, return_presigned_urls)
    execution = platform.executor.prepare(namespace_id, retriever_identifier, body, vectors=vectors, shape=shape)
    return _answered(execution, body)


@router.post("/{retriever_identifier}/execute/explain", **answers(ExecutionPlan))
def explain_execution(
    platform: PlatformDep, namespace: HeaderNamespace, retriever_identifier: str, body: Explain | None = None
) -> dict[str, Any]:
    """Say what an execution would do, and what its stages took so far, without executing it."""
    given = (body.inputs if body else None) or {}
    with Reading(platform.database) as reading:
        retriever = get_retriever(reading.connection, namespace.namespace_id, retriever_identifier)
        declared = {name: {**field, "required": False} for name, field in retriever.input_schema.items()}
        inputs = check_inputs(declared, given)
        return explain(retriever, inputs, reading, platform.documents, platform.timings)


def _answered(execution: Execution, body: ExecuteOptions) -> Any:
    if not body.stream:
        # Written by hand: what each document holds is its author's, and not to be looked through again.
        return Response(to_json(execution.run()), media_type="application/json")
    events: Iterator[bytes] = (_written(number, event) for number, event in enumerate(execution.stream(), start=1))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _written(number: int, event: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, event["event_type"].encode(), to_json(event))


def _shape(
    request: Request, platform: Platform, namespace_id: str, body: ExecuteOptions, signed: bool
) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    if not (signed or body.return_presigned_urls):
        return None
    return lambda document: with_signed_urls(document, request, platform, namespace_id)
