"""Retrievers and their execution."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mixpeek.api.access import HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.schemas.retrievers import Execution, RetrieverAnswer, RetrieverPage, StageDescription
from mixpeek.retrieval import queries, service
from mixpeek.retrieval.schemas import CreateRetriever, Execute
from mixpeek.retrieval.stages import STAGES

router = APIRouter(prefix="/v1/retrievers", tags=["retrievers"])


@router.post("", **answers(RetrieverAnswer, 409))
def create_retriever(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, body: CreateRetriever
) -> dict[str, Any]:
    """Create a retriever, checked against the collections it searches."""
    with platform.database.transaction() as connection:
        retriever = service.create_retriever(connection, namespace.namespace_id, body)
    return {"success": True, "retriever": retriever.wire(), "retriever_id": retriever.retriever_id}


@router.post("/list", **answers(RetrieverPage))
def list_retrievers(
    platform: PlatformDep, namespace: HeaderNamespace, listed: ListedPageDep, body: ListRequest | None = None
) -> dict[str, Any]:
    """List retrievers, by id unless sorted."""
    query = listed.query(body, always_counted=True)
    with platform.database.transaction() as connection:
        found = queries.list_retrievers(connection, namespace.namespace_id, query)
    return {**wire_found(query, [r.wire() for r in found.rows], found), "total": found.total}


@router.get("/stages", **answers(list[StageDescription], checked=True))
def list_stages(platform: PlatformDep, namespace: HeaderNamespace) -> list[dict[str, Any]]:
    """List the stages a retriever can be made of, with the schema of their parameters."""
    return [
        {
            "stage_id": kind.stage_id,
            "description": kind.description,
            "category": kind.category,
            "icon": None,
            "parameter_schema": kind.parameters.model_json_schema(),
        }
        for kind in STAGES.values()
    ]


@router.get("/{retriever_identifier}", **answers(RetrieverAnswer))
def get_retriever(platform: PlatformDep, namespace: HeaderNamespace, retriever_identifier: str) -> dict[str, Any]:
    """Return a retriever with its stages."""
    with platform.database.transaction() as connection:
        retriever = service.get_retriever(connection, namespace.namespace_id, retriever_identifier)
    return {"success": True, "retriever": retriever.wire(), "retriever_id": retriever.retriever_id}


@router.post("/{retriever_identifier}/execute", **answers(Execution, 500))
def execute_retriever(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    retriever_identifier: str,
    body: Execute,
    return_vectors: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """Run the retriever's stages and return the documents, best first."""
    return platform.executor.execute(namespace.namespace_id, retriever_identifier, body, return_vectors=return_vectors)
