"""Organizations, API keys and namespaces as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Extractors shipped with the platform live here; no key can address it.
BUILTIN_NAMESPACE = "builtin"


@dataclass(frozen=True)
class Principal:
    """The API key behind a request."""

    organization_id: str
    key_id: str
    name: str
    permissions: tuple[str, ...]

    def may(self, permission: str) -> bool:
        """Tell whether the key holds `permission`; admin holds all, delete holds write, write holds read."""
        order = ("read", "write", "delete", "admin")
        held = max((order.index(p) for p in self.permissions if p in order), default=-1)
        return held >= order.index(permission)


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
