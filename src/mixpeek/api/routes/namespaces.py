"""Namespaces."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, Literal

from fastapi import APIRouter
from pydantic import Field, field_validator

from mixpeek.api.access import Admin, Deleter, PathNamespace, PlatformDep, Reader, Writer
from mixpeek.api.answers import answers
from mixpeek.api.paging import ListedPageDep, ListRequest, wire_found
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.namespaces import Namespace as NamespaceAnswer
from mixpeek.api.schemas.namespaces import NamespaceDeleted, NamespacePage, NamespaceSaved
from mixpeek.db.pool import Connection
from mixpeek.filters.query import Query
from mixpeek.registry.extractors import BUILTIN_VERSION, BUILTINS
from mixpeek.tenancy import queries, service
from mixpeek.tenancy.models import Namespace, Principal
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


class PayloadIndex(WireModel):
    """A field that is filtered by. Every field can be: what is declared here is kept and shown, and builds nothing."""

    field_name: str = Field(min_length=1, max_length=255)
    type: Literal["keyword", "integer", "float", "bool", "geo", "datetime", "text", "uuid"]
    field_schema: dict[str, Any] | None = None
    is_protected: bool = False

    @field_validator("is_protected")
    @classmethod
    def _is_the_platforms(cls, value: bool) -> bool:
        if value:
            raise ValueError("protected indexes are the platform's own; leave it out")
        return value


class _NamespaceFields(WireModel):
    """What create and update have in common: of the documented fields, those refused by name."""

    auto_create_indexes: bool | None = None
    infrastructure: dict[str, Any] | None = None

    @field_validator("auto_create_indexes")
    @classmethod
    def _needs_none(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("indexes are not made by use here, and filters need none; leave it out")
        return value

    @field_validator("infrastructure")
    @classmethod
    def _has_none(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            raise ValueError("a namespace has no infrastructure of its own here; leave it out")
        return value


class CreateNamespace(_NamespaceFields):
    other_names: ClassVar[dict[str, str]] = {"name": "namespace_name"}

    namespace_name: str = Field(min_length=1, max_length=100)
    feature_extractors: list[NamedExtractor] = Field(default_factory=list)
    description: str | None = None
    namespace_type: str = "standard"
    payload_indexes: list[PayloadIndex] | None = None

    @field_validator("namespace_type")
    @classmethod
    def _is_standard(cls, value: str) -> str:
        if value != "standard":
            raise ValueError(f"there are only `standard` namespaces here, none of type {value!r}")
        return value


class UpdateNamespace(_NamespaceFields):
    """What to change; what is left out stays."""

    other_names: ClassVar[dict[str, str]] = {"name": "namespace_name"}

    namespace_name: str | None = Field(None, min_length=1, max_length=100)
    description: str | None = None
    payload_indexes: list[PayloadIndex] | None = None

    def changes(self) -> dict[str, Any]:
        """Return the columns to set; a null takes a description away and changes nothing else."""
        given = self.model_dump(include={"namespace_name", "description", "payload_indexes"}, exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name == "description"}


@router.post("", **answers(NamespaceSaved, 409))
def create_namespace(platform: PlatformDep, caller: Admin, body: CreateNamespace) -> dict[str, Any]:
    """Create an empty namespace."""
    fields = {
        **body.model_dump(exclude={"infrastructure"}),
        "payload_indexes": [index.model_dump() for index in body.payload_indexes or ()],
        "auto_create_indexes": False,
    }
    with platform.database.transaction() as connection:
        namespace = service.create_namespace(connection, caller.organization_id, fields)
        return {**_wire(connection, namespace), "warnings": _warnings(body.payload_indexes)}


@router.get("", **answers(NamespacePage))
def list_all_namespaces(platform: PlatformDep, caller: Reader, listed: ListedPageDep) -> dict[str, Any]:
    """List the namespaces that the key may see, as POST /list does."""
    return _list(platform, caller, listed.query(None, always_counted=True))


@router.post("/list", **answers(NamespacePage))
def list_namespaces(
    platform: PlatformDep, caller: Reader, listed: ListedPageDep, body: ListRequest | None = None
) -> dict[str, Any]:
    """List the namespaces that the key may see, by id unless sorted."""
    return _list(platform, caller, listed.query(body, always_counted=True))


@router.get("/{namespace_id}", **answers(NamespaceAnswer))
def get_namespace(platform: PlatformDep, namespace: PathNamespace) -> dict[str, Any]:
    """Return a namespace with how much it holds."""
    with platform.database.transaction() as connection:
        return _wire(connection, namespace)


@router.patch("/{namespace_id}", **answers(NamespaceSaved, 409))
def update_namespace(
    platform: PlatformDep, caller: Writer, namespace: PathNamespace, body: UpdateNamespace
) -> dict[str, Any]:
    """Rename or describe a namespace; what is left out stays."""
    with platform.database.transaction() as connection:
        changed = service.update_namespace(connection, namespace, body.changes())
        return {**_wire(connection, changed), "warnings": _warnings(body.payload_indexes)}


@router.put("/{namespace_id}", **answers(NamespaceSaved, 409))
def put_namespace(
    platform: PlatformDep, caller: Writer, namespace: PathNamespace, body: UpdateNamespace
) -> dict[str, Any]:
    """Do as PATCH does: what a namespace holds is never replaced."""
    return update_namespace(platform, caller, namespace, body)


@router.delete("/{namespace_id}", **answers(NamespaceDeleted, 409, checked=True))
def delete_namespace(
    platform: PlatformDep, caller: Deleter, namespace: PathNamespace, force: bool = False
) -> dict[str, Any]:
    """Delete a namespace; refused while it holds anything, unless forced."""
    with platform.database.transaction() as connection:
        service.delete_namespace(connection, namespace, force=force)
    return {"success": True, "namespace_id": namespace.namespace_id, "message": "Deleted"}


def _list(platform: Platform, caller: Principal, query: Query) -> dict[str, Any]:
    with platform.database.transaction() as connection:
        found = queries.list_namespaces(connection, caller.organization_id, query, caller.namespaces)
        results = [_wire(connection, namespace) for namespace in found.rows]
    return {**wire_found(query, results, found), "total_count": found.total}


def _wire(connection: Connection, namespace: Namespace) -> dict[str, Any]:
    hidden = ("organization_id", "host_uid")
    fields = {key: value for key, value in asdict(namespace).items() if key not in hidden}
    return {
        **fields,
        "feature_extractors": [_wire_extractor(extractor) for extractor in namespace.feature_extractors],
        **queries.count_contents(connection, namespace.namespace_id),
        "vector_inference_map": {},
        "infrastructure": None,
        "cluster_id": None,
    }


def _warnings(indexes: list[PayloadIndex] | None) -> list[str]:
    """Return what to say about indexes that a client declares for the sake of its filters."""
    if not indexes:
        return []
    words = ["`payload_indexes` are kept and shown, and build nothing: every field can be filtered by without"]
    places = [index.field_name for index in indexes if index.type == "geo"]
    if places:
        words.append(f"No filter compares places: {', '.join(places)} can be shown and compared as a value only")
    return words


def _wire_extractor(extractor: dict[str, Any]) -> dict[str, Any]:
    version = extractor.get("version") or BUILTIN_VERSION
    return {**extractor, "version": version, "feature_extractor_id": f"{extractor['feature_extractor_name']}_{version}"}
