"""Retrievers: made, changed, cloned and deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import Deleter, HeaderNamespace, PlatformDep, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.retrievers import (
    RetrieverAnswer,
    RetrieverCloned,
    RetrieverDeleted,
    RetrieverPage,
    RetrieverVersions,
    ShownRetriever,
    StageDescription,
)
from mixpeek.retrieval import queries, service
from mixpeek.retrieval.models import Retriever
from mixpeek.retrieval.schemas import CloneRetriever, CreateRetriever, PatchRetriever
from mixpeek.retrieval.stages import STAGES
from mixpeek.tenancy.models import Namespace

router = APIRouter(prefix="/v1/retrievers", tags=["retrievers"])


@router.post("", **answers(RetrieverAnswer, 404, 409))
def create_retriever(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Writer, body: CreateRetriever
) -> dict[str, Any]:
    """Create a retriever, checked against the collections it searches and the inputs it takes."""
    with platform.database.transaction() as connection:
        return _answer(service.create_retriever(connection, namespace.namespace_id, body))


@router.post("/list", **answers(RetrieverPage))
def list_retrievers(
    platform: PlatformDep, namespace: HeaderNamespace, listed: ListedPageDep, body: ListRequest | None = None
) -> dict[str, Any]:
    """List retrievers, by id unless sorted."""
    return _listed(platform, namespace, listed, body)


@router.get("", **answers(RetrieverPage, operation_id="list_retrievers_get"))
def list_retrievers_get(platform: PlatformDep, namespace: HeaderNamespace, listed: ListedPageDep) -> dict[str, Any]:
    """List retrievers by id."""
    return _listed(platform, namespace, listed, None)


@router.get("/stages", **answers(list[StageDescription], checked=True))
def list_stages() -> list[dict[str, Any]]:
    """List the stages a retriever can be made of, with the schema of their parameters; no key is needed."""
    return [
        {
            "stage_id": kind.stage_id,
            "description": kind.description,
            "category": kind.category,
            "icon": kind.icon,
            "parameter_schema": kind.parameters.model_json_schema(),
        }
        for kind in STAGES.values()
    ]


@router.get("/{retriever_identifier}", **answers(ShownRetriever))
def get_retriever(platform: PlatformDep, namespace: HeaderNamespace, retriever_identifier: str) -> dict[str, Any]:
    """Return a retriever with its stages."""
    with platform.database.transaction() as connection:
        retriever = service.get_retriever(connection, namespace.namespace_id, retriever_identifier)
    return {**retriever.wire(), **_answer(retriever)}


@router.patch("/{retriever_identifier}", **answers(RetrieverAnswer, 409))
def update_retriever(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    retriever_identifier: str,
    body: PatchRetriever,
) -> dict[str, Any]:
    """Change a retriever's name, description, tags or display; its stages and inputs stay what they are."""
    with platform.database.transaction() as connection:
        return _answer(service.update_retriever(connection, namespace.namespace_id, retriever_identifier, body))


@router.delete("/{retriever_identifier}", **answers(RetrieverDeleted))
def delete_retriever(
    platform: PlatformDep, namespace: HeaderNamespace, caller: Deleter, retriever_identifier: str
) -> dict[str, Any]:
    """Delete a retriever; what it searches stays."""
    with platform.database.transaction() as connection:
        deleted = service.delete_retriever(connection, namespace.namespace_id, retriever_identifier)
    return {
        "success": True,
        "retriever_id": deleted.retriever_id,
        "message": f"Retriever {deleted.retriever_name!r} is deleted",
    }


@router.post("/{retriever_identifier}/clone", **answers(RetrieverCloned, 409, status=201))
def clone_retriever(
    platform: PlatformDep,
    namespace: HeaderNamespace,
    caller: Writer,
    retriever_identifier: str,
    body: CloneRetriever,
) -> dict[str, Any]:
    """Create a retriever like this one, but for what the body gives: the way to change stages."""
    with platform.database.transaction() as connection:
        made, like = service.clone_retriever(connection, namespace.namespace_id, retriever_identifier, body)
    return {**_answer(made), "source_retriever_id": like.retriever_id}


@router.get("/{retriever_identifier}/versions", **answers(RetrieverVersions))
def list_retriever_versions(
    platform: PlatformDep, namespace: HeaderNamespace, retriever_identifier: str
) -> dict[str, Any]:
    """List what a retriever was called and described as, the current version first."""
    with platform.database.transaction() as connection:
        found = service.list_versions(connection, namespace.namespace_id, retriever_identifier)
    return {"results": found, "total": len(found)}


def _answer(retriever: Retriever) -> dict[str, Any]:
    return {"success": True, "retriever": retriever.wire(), "retriever_id": retriever.retriever_id}


def _listed(platform: Platform, namespace: Namespace, listed: Any, body: ListRequest | None) -> dict[str, Any]:
    query = listed.query(body, always_counted=True)
    with platform.database.transaction() as connection:
        found = queries.list_retrievers(connection, namespace.namespace_id, query)
    return {**wire_found(query, [r.wire() for r in found.rows], found), "total": found.total}
