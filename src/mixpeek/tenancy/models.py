"""Organizations, API keys and namespaces as rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

# Extractors shipped with the platform live here; no key can address it.
BUILTIN_NAMESPACE = "builtin"
# Each holds those before it.
PERMISSIONS = ("read", "write", "delete", "admin")


@dataclass(frozen=True)
class Principal:
    """The API key behind a request."""

    organization_id: str
    key_id: str
    name: str
    permissions: tuple[str, ...]
    namespaces: frozenset[str] | None = None

    def may(self, permission: str) -> bool:
        """Tell whether the key holds `permission`; admin holds all, delete holds write, write holds read."""
        return self._held >= PERMISSIONS.index(permission)

    @cached_property
    def _held(self) -> int:
        return max((PERMISSIONS.index(p) for p in self.permissions if p in PERMISSIONS), default=-1)

    def sees(self, namespace_id: str | None) -> bool:
        """Tell whether the key's scope holds a namespace; what belongs to none is seen by keys without a scope."""
        return self.namespaces is None or namespace_id in self.namespaces


@dataclass(frozen=True)
class ApiKey:
    """A key as it is listed: everything but the key itself, of which only the first ten characters are kept."""

    key_id: str
    organization_id: str
    name: str
    description: str | None
    key_prefix: str
    permissions: list[str]
    namespaces: list[str] | None
    status: str
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None

    def wire(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "organization_id"}


@dataclass(frozen=True)
class Namespace:
    namespace_id: str
    organization_id: str
    namespace_name: str
    namespace_type: str
    description: str | None
    feature_extractors: list[dict[str, Any]]
    payload_indexes: list[dict[str, Any]]
    auto_create_indexes: bool
    host_uid: int
    created_at: datetime
    updated_at: datetime
