"""Executing retrievers: at once or told stage by stage, kept ones and those that come with the request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from mixpeek.api.access import HeaderNamespace, HeaderNamespaceId, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.blob_urls import with_signed_urls
from mixpeek.api.errors import unforeseen
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.retrievers import Execution as ExecutionAnswer
from mixpeek.api.schemas.retrievers import ExecutionPlan
from mixpeek.db.pool import Database
from mixpeek.retrieval.context import Reading
from mixpeek.retrieval.execution import Execution, Shape
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
ReadFrom = Annotated[
    Literal["primary"] | None,
    Header(description="`primary`: see all that was written before, which replicas may not have yet."),
]
Urls = Annotated[bool, Query(description="Also return signed URLs of their blobs.")]


@router.post("/execute", **answers(ExecutionAnswer, 404, 500, also=EVENTS))
def execute_ad_hoc(
    request: Request,
    platform: PlatformDep,
    namespace_id: HeaderNamespaceId,
    body: ExecuteAdHoc,
    return_vectors: Vectors = False,
    return_presigned_urls: Urls = False,
    x_read_from: ReadFrom = None,
) -> Any:
    """Run stages that are not kept, and return the documents, best first."""
    shape = _shape(request, platform, namespace_id, body, return_presigned_urls)
    return _Asked(platform, namespace_id, None, body, return_vectors, shape).answered(x_read_from)


@router.post("/{retriever_identifier}/execute", **answers(ExecutionAnswer, 500, also=EVENTS))
def execute_retriever(
    request: Request,
    platform: PlatformDep,
    namespace_id: HeaderNamespaceId,
    retriever_identifier: str,
    body: Execute,
    return_vectors: Vectors = False,
    return_presigned_urls: Urls = False,
    x_read_from: ReadFrom = None,
) -> Any:
    """Run the retriever's stages and return the documents, best first; with `stream`, tell of each stage as it ends."""
    shape = _shape(request, platform, namespace_id, body, return_presigned_urls)
    return _Asked(platform, namespace_id, retriever_identifier, body, return_vectors, shape).answered(x_read_from)


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


def executed(platform: Platform, namespace_id: str, identifier: str | None, body: ExecuteOptions) -> bytes:
    """Return the answer of an execution that is told at its end; without an identifier, of what comes with it."""
    return _Asked(platform, namespace_id, identifier, body).written()


@dataclass(frozen=True)
class _Asked:
    """One execution that was asked for; without an identifier, of the recipe in its body."""

    platform: Platform
    namespace_id: str
    identifier: str | None
    body: ExecuteOptions
    return_vectors: bool = False
    shape: Shape | None = None

    def answered(self, read_from: str | None) -> Response:
        if self.body.stream:
            # What was told of stages cannot be taken back, should a replica go away.
            told = until_the_end(self._prepared().stream())
            events: Iterator[bytes] = (_written(number, event) for number, event in enumerate(told, start=1))
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        return Response(self.written(read_from), media_type="application/json")

    def written(self, read_from: str | None = None) -> bytes:
        # A scroll keeps what it has found.
        writes = self.body.pagination is not None and self.body.pagination.method == "scroll"
        is_primary = writes or read_from == "primary"
        answer = self._run(self.platform.database) if is_primary else self.platform.readers.read(self._run)
        # Written by hand: what each document holds is its author's, and not to be looked through again.
        return _json(answer)

    def _run(self, database: Database) -> dict[str, Any]:
        if self.identifier is None:
            return self._prepared(database).run()
        executor = self.platform.executor(database)
        return executor.execute(self.namespace_id, self.identifier, self._kept, **self._options)

    def _prepared(self, database: Database | None = None) -> Execution:
        executor = self.platform.executor(database or self.platform.database)
        if self.identifier is None:
            assert isinstance(self.body, ExecuteAdHoc)
            return executor.prepare_ad_hoc(self.namespace_id, self.body, **self._options)
        return executor.prepare(self.namespace_id, self.identifier, self._kept, **self._options)

    @property
    def _kept(self) -> Execute:
        assert isinstance(self.body, Execute)
        return self.body

    @property
    def _options(self) -> dict[str, Any]:
        return {"vectors": self.return_vectors or bool(self.body.return_vectors), "shape": self.shape}


def until_the_end(events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield events, and one with the error if there is one that nobody foresaw: the answer has begun already."""
    try:
        yield from events
    except Exception as error:  # the edge of a request
        yield {"event_type": "execution_error", "status": "failed", "error": unforeseen(error).wire()}


def _written(number: int, event: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, event["event_type"].encode(), _json(event))


def _json(answer: dict[str, Any]) -> bytes:
    # JSON has no infinity, which a sum of stored numbers may be.
    return to_json(answer, inf_nan_mode="null")


def _shape(request: Request, platform: Platform, namespace_id: str, body: ExecuteOptions, signed: bool) -> Shape | None:
    if not (signed or body.return_presigned_urls):
        return None
    return lambda document: with_signed_urls(document, request, platform, namespace_id)
