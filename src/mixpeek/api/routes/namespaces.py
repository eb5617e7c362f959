"""Namespaces."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import Field, field_validator

from mixpeek.api.access import Admin, Deleter, PathNamespace, PlatformDep, Reader
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListBody, PageDep, wire_page
from mixpeek.api.schemas.namespaces import Namespace as NamespaceAnswer
from mixpeek.api.schemas.namespaces import NamespaceDeleted, NamespacePage
from mixpeek.db.pool import Connection
from mixpeek.registry.extractors import BUILTINS
from mixpeek.tenancy import queries, service
from mixpeek.tenancy.models import Namespace
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/namespaces", tags=["namespaces"])


class NamedExtractor(WireModel):
    feature_extractor_name: str
    version: str | None = None
    params: dict[str, Any] | None = None

    @field_validator("feature_extractor_name")
    @classmethod
    def _is_builtin(cls, value: str) -> str:
        if value not in BUILTINS:
            raise ValueError(f"{value!r} is not built in; publish your own once the namespace exists")
        return value


class CreateNamespace(WireModel):
    namespace_name: str = Field(min_length=1, max_length=100)
    feature_extractors: list[NamedExtractor] = Field(default_factory=list)
    description: str | None = None


@router.post("", **answers(NamespaceAnswer, 409))
def create_namespace(platform: PlatformDep, caller: Admin, body: CreateNamespace) -> dict[str, Any]:
    """Create an empty namespace."""
    fields = {
        **body.model_dump(),
        "namespace_type": "standard",
        "payload_indexes": [],
        "auto_create_indexes": False,
    }
    with platform.database.transaction() as connection:
        namespace = service.create_namespace(connection, caller.organization_id, fields)
        return _wire(connection, namespace)


@router.post("/list", **answers(NamespacePage))
def list_namespaces(
    platform: PlatformDep, caller: Reader, page: PageDep, body: ListBody | None = None
) -> dict[str, Any]:
    """List the namespaces that the key may see."""
    page = page.within(body)
    with platform.database.transaction() as connection:
        found = queries.list_namespaces(
            connection, caller.organization_id, page.limit, page.after, page.offset, caller.namespaces
        )
        results = [_wire(connection, namespace) for namespace in found]
    return wire_page(page, results, found[-1].namespace_id if found else None)


@router.get("/{namespace_id}", **answers(NamespaceAnswer))
def get_namespace(platform: PlatformDep, namespace: PathNamespace) -> dict[str, Any]:
    """Return a namespace with how much it holds."""
    with platform.database.transaction() as connection:
        return _wire(connection, namespace)


@router.delete("/{namespace_id}", **answers(NamespaceDeleted, 409, checked=True))
def delete_namespace(
    platform: PlatformDep, caller: Deleter, namespace: PathNamespace, force: bool = False
) -> dict[str, Any]:
    """Delete a namespace; refused while it holds anything, unless forced."""
    with platform.database.transaction() as connection:
        service.delete_namespace(connection, namespace, force=force)
    return {"success": True, "namespace_id": namespace.namespace_id, "message": "Deleted"}


def _wire(connection: Connection, namespace: Namespace) -> dict[str, Any]:
    hidden = ("organization_id", "host_uid")
    fields = {key: value for key, value in asdict(namespace).items() if key not in hidden}
    return {
        **fields,
        **queries.count_contents(connection, namespace.namespace_id),
        "vector_inference_map": {},
        "infrastructure": None,
        "cluster_id": None,
    }
