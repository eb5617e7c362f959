"""Secrets of the organization: values come in and never go out; a namespace reads those granted to it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from mixpeek.api.access import Admin, PlatformDep, Reader
from mixpeek.api.answers import answers
from mixpeek.api.schemas.secrets import KeyRotation, Secret, SecretChange, SecretList
from mixpeek.errors import InvalidRequest
from mixpeek.secrets import queries, service
from mixpeek.secrets.models import Rotation
from mixpeek.secrets.service import MOST_VALUE_BYTES, NAME_PATTERN
from mixpeek.wire import WireModel

router = APIRouter(prefix="/v1/organizations/secrets", tags=["secrets"])

Value = Annotated[
    SecretStr,
    Field(min_length=1, max_length=MOST_VALUE_BYTES, description="Kept encrypted; at most 65,536 bytes in UTF-8."),
]
Namespaces = Annotated[
    list[str] | None,
    Field(max_length=1000, description="Ids or names of those that may read it; null means every one, [] means none."),
]


class _Valued(WireModel):
    @field_validator("secret_value", check_fields=False)
    @classmethod
    def _fits(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            size = 0 if value is None else len(value.get_secret_value().encode())
        except UnicodeEncodeError:  # whose message would tell a part of the value
            raise PydanticCustomError("not_text", "The value holds half a surrogate pair, which is no text") from None
        if size > MOST_VALUE_BYTES:
            raise PydanticCustomError("too_large", f"The value has {size} bytes, more than {MOST_VALUE_BYTES}")
        return value


class CreateSecret(_Valued):
    secret_name: str = Field(min_length=1, max_length=100, pattern=NAME_PATTERN)
    secret_value: Value
    namespaces: Namespaces = None


class UpdateSecret(_Valued):
    """Leave out what is to stay."""

    secret_value: Value | None = None
    namespaces: Namespaces = None


@router.post("", **answers(SecretChange, 404, 409, 500, status=201, checked=True))
def create_secret(platform: PlatformDep, caller: Admin, body: CreateSecret) -> dict[str, Any]:
    """Keep a value under a new name, readable in every namespace unless `namespaces` names some."""
    with platform.database.transaction() as connection:
        made = platform.vault.create(
            connection, caller.organization_id, body.secret_name, body.secret_value, body.namespaces
        )
    return {"success": True, **made.wire(), "created": True}


@router.get("", **answers(SecretList, checked=True))
def list_secrets(platform: PlatformDep, caller: Reader) -> dict[str, Any]:
    """List every name; a key scoped to namespaces sees the names of what those may read."""
    with platform.database.transaction() as connection:
        names = queries.list_names(connection, caller.organization_id, caller.namespaces)
    return {"secrets": names, "count": len(names)}


# Before the routes by name; no method of theirs is POST, so a secret may have this name.
@router.post("/rotate-key", **answers(KeyRotation, 500, checked=True))
def rotate_secrets_key(platform: PlatformDep, caller: Admin) -> dict[str, Any]:
    """Encrypt every secret with a new master key, or with the first of MIXPEEK_SECRETS_KEY where that is set."""
    rotation = platform.vault.rotate_key(platform.database.transaction)
    return {
        "success": True,
        "reencrypted": rotation.reencrypted,
        "total": rotation.total,
        "is_new_key": rotation.is_new_key,
        "message": _words(rotation),
    }


@router.get("/{secret_name}", **answers(Secret, checked=True))
def get_secret(platform: PlatformDep, caller: Admin, secret_name: str) -> dict[str, Any]:
    """Return what is known of a secret beside its value."""
    with platform.database.transaction() as connection:
        return {"success": True, **service.get_secret(connection, caller.organization_id, secret_name).wire()}


@router.put("/{secret_name}", **answers(SecretChange, 500, checked=True))
def update_secret(platform: PlatformDep, caller: Admin, secret_name: str, body: UpdateSecret) -> dict[str, Any]:
    """Replace the value, the namespaces that may read it, or both; the value before is gone."""
    given = body.model_fields_set
    if body.secret_value is None and "namespaces" not in given:
        raise InvalidRequest("There is nothing to change", hint="Send `secret_value`, `namespaces` or both")
    organization = caller.organization_id
    with platform.database.transaction() as connection:
        if body.secret_value is not None:
            changed = platform.vault.set_value(connection, organization, secret_name, body.secret_value)
        if "namespaces" in given:
            changed = service.set_namespaces(connection, organization, secret_name, body.namespaces)
    return {"success": True, **changed.wire(), "updated": True}


@router.delete("/{secret_name}", **answers(SecretChange, checked=True))
def delete_secret(platform: PlatformDep, caller: Admin, secret_name: str) -> dict[str, Any]:
    """Delete a secret; whatever reads it fails from now on."""
    with platform.database.transaction() as connection:
        deleted = service.delete_secret(connection, caller.organization_id, secret_name)
    return {"success": True, **deleted.wire(), "deleted": True}


@router.put("/{secret_name}/namespaces/{namespace_id}", **answers(SecretChange, checked=True))
def grant_secret(platform: PlatformDep, caller: Admin, secret_name: str, namespace_id: str) -> dict[str, Any]:
    """Let one more namespace read a secret."""
    with platform.database.transaction() as connection:
        granted = service.grant(connection, caller.organization_id, secret_name, namespace_id)
    return {"success": True, **granted.wire(), "updated": True}


@router.delete("/{secret_name}/namespaces/{namespace_id}", **answers(SecretChange, 409, checked=True))
def revoke_secret(platform: PlatformDep, caller: Admin, secret_name: str, namespace_id: str) -> dict[str, Any]:
    """Take a secret from one of the namespaces that it was granted to."""
    with platform.database.transaction() as connection:
        revoked = service.revoke(connection, caller.organization_id, secret_name, namespace_id)
    return {"success": True, **revoked.wire(), "updated": True}


def _words(rotation: Rotation) -> str:
    if rotation.is_new_key:
        return f"A new key encrypts all {rotation.total} secrets; the one before it is deleted"
    return (
        f"The first key of {rotation.place} encrypts all {rotation.total} secrets, {rotation.reencrypted} of them"
        " newly; the keys behind it may now be removed"
    )
