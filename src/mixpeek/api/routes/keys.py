"""API keys of the organization; a key itself is in the answer that made it, and never again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from mixpeek.api.access import Admin, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.paging import PageDep, wire_page
from mixpeek.api.schemas.keys import ApiKeyAnswer, ApiKeyPage, ApiKeySecret
from mixpeek.tenancy import keys, queries
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/organizations/api-keys", tags=["api keys"])


class CreateKey(WireModel):
    name: str = Field(min_length=1, max_length=100)
    permissions: list[Literal["read", "write", "delete", "admin"]] = Field(min_length=1)
    namespaces: list[str] | None = Field(None, min_length=1, description="Ids or names; null means all.")
    expires_at: AwareDatetime | None = None
    description: str | None = Field(None, max_length=2000)


@router.post("", **answers(ApiKeySecret, 404, 409, checked=True))
def create_api_key(platform: PlatformDep, caller: Admin, body: CreateKey) -> dict[str, Any]:
    """Create a key; `key` is shown this once."""
    with platform.database.transaction() as connection:
        made, secret = keys.create_key(connection, caller.organization_id, created_by=caller.name, **body.model_dump())
    return {"success": True, **made.wire(), "key": secret}


@router.get("", **answers(ApiKeyPage, checked=True))
def list_api_keys(
    platform: PlatformDep,
    caller: Admin,
    page: PageDep,
    status: Annotated[Literal["active", "revoked", "expired"] | None, Query()] = None,
) -> dict[str, Any]:
    """List keys, those revoked and expired among them."""
    with platform.database.transaction() as connection:
        found = queries.list_keys(connection, caller.organization_id, page.limit, page.after, status)
    return wire_page(page, [key.wire() for key in found], found[-1].key_id if found else None)


@router.get("/{key_identifier}", **answers(ApiKeyAnswer, 409, checked=True))
def get_api_key(platform: PlatformDep, caller: Admin, key_identifier: str) -> dict[str, Any]:
    """Return a key by its id or name, without the key itself."""
    with platform.database.transaction() as connection:
        return {"success": True, **keys.get_key(connection, caller.organization_id, key_identifier).wire()}


@router.post("/{key_identifier}/rotate", **answers(ApiKeySecret, 409, checked=True))
def rotate_api_key(platform: PlatformDep, caller: Admin, key_identifier: str) -> dict[str, Any]:
    """Replace the secret of a key; the old one ends now, id, permissions and scope stay."""
    with platform.database.transaction() as connection:
        rotated, secret = keys.rotate_key(connection, caller.organization_id, key_identifier)
    platform.keyring.forget()
    return {"success": True, **rotated.wire(), "key": secret}


@router.delete("/{key_identifier}", **answers(ApiKeyAnswer, 409, checked=True))
def revoke_api_key(platform: PlatformDep, caller: Admin, key_identifier: str) -> dict[str, Any]:
    """Revoke a key by its id or name; it stays listed."""
    with platform.database.transaction() as connection:
        revoked = keys.revoke_key(connection, caller.organization_id, key_identifier)
    platform.keyring.forget()
    return {"success": True, **revoked.wire()}
