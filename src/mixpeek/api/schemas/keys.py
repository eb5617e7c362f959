"""Answers about API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class ApiKey(Answer):
    """An API key without its secret."""

    key_id: str
    name: str
    description: str | None
    key_prefix: str = Field(description="The first characters of the secret, to tell keys apart.")
    permissions: list[Literal["read", "write", "delete", "admin"]]
    namespaces: list[str] | None = Field(description="Ids of the only namespaces it sees; null means all.")
    status: Literal["active", "revoked", "expired"]
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None


class ApiKeyAnswer(ApiKey):
    """One key."""

    success: Literal[True]


class ApiKeySecret(ApiKeyAnswer):
    """A key with its secret, shown this once."""

    key: str


class ApiKeyPage(Answer):
    """A page of keys."""

    results: list[ApiKey]
    pagination: PageInfo
