"""An audit event and how it reads on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Event:
    """One change, or one attempt that was refused."""

    entry: int
    at: datetime
    namespace_id: str | None
    resource_type: str
    resource_id: str | None
    action: str
    status: str
    actor_type: str
    actor_id: str
    actor_name: str | None
    changes: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    request_id: str | None

    def wire(self) -> dict[str, Any]:
        return {
            "audit_id": f"aud_{self.entry}",
            "timestamp": self.at,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "action": self.action,
            "actor_id": self.actor_id,
            "actor_type": self.actor_type,
            "actor_name": self.actor_name,
            "status": self.status,
            "changes": self.changes,
            "ip_address": self.ip_address,
            "user_agent": self.user_agent,
            "namespace_id": self.namespace_id,
            "request_id": self.request_id,
        }


@dataclass(frozen=True)
class Filters:
    """Which events to list; None leaves a question open, `actor` is an actor's id or name."""

    resource_type: str | None = None
    resource_id: str | None = None
    action: str | None = None
    actor: str | None = None
    status: str | None = None
    namespace_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
