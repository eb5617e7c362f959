"""Answers about the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class AuditEvent(Answer):
    """One change, or one attempt that was refused."""

    audit_id: str
    timestamp: datetime
    resource_type: str
    resource_id: str | None
    action: str
    actor_id: str
    actor_type: str
    actor_name: str | None
    status: Literal["success", "refused", "failed"]
    changes: dict[str, Any] = Field(description="What changed, by field; of a refusal, what was asked for.")
    ip_address: str | None
    user_agent: str | None
    namespace_id: str | None
    request_id: str | None


class AuditPage(Answer):
    """A page of audit events, newest first."""

    results: list[AuditEvent]
    pagination: PageInfo
