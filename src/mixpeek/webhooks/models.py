"""Webhooks, their endpoints, events, and the deliveries of events to endpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from mixpeek.webhooks.event_types import warnings_of

# Stands where the value of a header is kept but not shown; sent back, it means the value that is kept.
HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Endpoint:
    """One URL of a webhook, and how it has been doing."""

    endpoint_id: str
    webhook_id: str
    place: int
    url: str
    header_names: list[str]
    timeout_s: float
    old_secret_ends: datetime | None
    failures: int
    failing_since: datetime | None
    last_error: str | None
    disabled_at: datetime | None
    disabled_reason: str | None

    @property
    def vault_name(self) -> str:
        return f"webhook:{self.endpoint_id}"

    @property
    def state(self) -> str:
        if self.disabled_at is not None:
            return "disabled"
        return "failing" if self.failures else "healthy"

    def wire(self, secret: str | None) -> dict[str, Any]:
        """Return it as a channel; `secret` is shown in the answer that made it, and never again."""
        configs = {
            "url": self.url,
            "headers": dict.fromkeys(self.header_names, HIDDEN) or None,
            "payload_template": None,
            "timeout": self.timeout_s,
            "secret": secret,
        }
        told = ("failures", "failing_since", "last_error", "disabled_at", "disabled_reason", "old_secret_ends")
        known = asdict(self)
        return {
            "channel": "webhook",
            "configs": configs,
            "endpoint_id": self.endpoint_id,
            "state": self.state,
            **{name: known[name] for name in told},
        }


@dataclass(frozen=True)
class Webhook:
    webhook_id: str
    organization_id: str
    webhook_name: str
    event_types: list[str]
    namespaces: list[str] | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    endpoints: Sequence[Endpoint] = ()

    def wire(self, secrets: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the webhook as it is answered; `secrets` are those to show now, by endpoint id."""
        shown = secrets or {}
        return {
            "webhook_id": self.webhook_id,
            "webhook_name": self.webhook_name,
            "event_types": self.event_types,
            "namespaces": self.namespaces,
            "channels": [each.wire(shown.get(each.endpoint_id)) for each in self.endpoints],
            "is_active": self.is_active,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "warnings": warnings_of(self.event_types),
        }


@dataclass(frozen=True)
class Keys:
    """What is kept sealed of an endpoint: its signing secrets, the newest first, and the values of its headers."""

    secrets: list[str] = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    def json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Event:
    """What happened, to which resource."""

    event_id: str
    event_type: str
    organization_id: str
    namespace_id: str | None
    resource_type: str
    resource_id: str
    data: dict[str, Any]
    request_id: str | None
    at: datetime

    def wire(self) -> dict[str, Any]:
        """Return what receivers are sent, each time the same."""
        return {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "created_at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "organization_id": self.organization_id,
            "namespace_id": self.namespace_id,
            "resource": {"type": self.resource_type, "id": self.resource_id},
            "data": self.data,
            "request_id": self.request_id,
        }

    def body(self) -> bytes:
        return json.dumps(self.wire(), separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint, or arrived, or given up."""

    entry: int
    delivery_id: str
    webhook_id: str
    endpoint_id: str
    url: str
    event_id: str
    event_type: str
    state: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    ended_at: datetime | None
    history: list[dict[str, Any]]
    response: str | None
    replay_of: str | None

    def wire(self) -> dict[str, Any]:
        last = self.history[-1] if self.history else {}
        return {
            "delivery_id": self.delivery_id,
            "webhook_id": self.webhook_id,
            "endpoint_id": self.endpoint_id,
            "url": self.url,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "state": self.state,
            "attempts": self.attempts,
            "created_at": self.created_at,
            "next_attempt_at": self.next_attempt_at if self.state == "pending" else None,
            "ended_at": self.ended_at,
            "response_status": last.get("status"),
            "error": last.get("error"),
            "response": self.response,
            "history": self.history,
            "replay_of": self.replay_of,
        }


@dataclass(frozen=True)
class Claim:
    """A delivery that this process holds the lease of: what to send, and to whom."""

    entry: int
    delivery_id: str
    attempts: int
    started_at: datetime
    endpoint: Endpoint
    event: Event


@dataclass(frozen=True)
class Outcome:
    """How an attempt went: `error` is None where it arrived."""

    status: int | None
    error: str | None
    response: str | None
    duration_ms: int
    retry_after_s: float | None = None
