"""Answers about webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer, PageInfo


class WebhookConfigsAnswer(Answer):
    """Where an endpoint is, and what is sent there beside the event."""

    url: str
    headers: dict[str, str] | None = Field(description="The names are shown, each value is `[hidden]`.")
    payload_template: None
    timeout: float = Field(description="Seconds one attempt may take in all.")
    secret: str | None = Field(description="What signs deliveries, in the answer that made it; null ever after.")


class WebhookChannelAnswer(Answer):
    """One endpoint of a webhook, and how it has been doing."""

    channel: Literal["webhook"]
    configs: WebhookConfigsAnswer
    endpoint_id: str
    state: Literal["healthy", "failing", "disabled"]
    failures: int = Field(description="Attempts that failed, in a row.")
    failing_since: datetime | None
    last_error: str | None
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Nothing is sent until `is_active` is set to true again.")
    old_secret_ends: datetime | None = Field(
        description="Until then the secret before the last rotation signs as well."
    )


class Webhook(Answer):
    """A webhook."""

    webhook_id: str
    webhook_name: str
    event_types: list[str]
    namespaces: list[str] | None = Field(description="Ids of the only namespaces it is told of; null means all.")
    channels: list[WebhookChannelAnswer]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    warnings: list[str] = Field(description="Subscriptions that nothing on this server will match.")


class WebhookPage(Answer):
    """A page of webhooks."""

    results: list[Webhook]
    pagination: PageInfo
    total: int


class Attempt(Answer):
    """One attempt to deliver."""

    at: datetime
    status: int | None = Field(description="What the receiver answered; null where there was no answer.")
    error: str | None = Field(description="null where it arrived.")
    duration_ms: int


class Delivery(Answer):
    """One event on its way to one endpoint, arrived, or given up."""

    delivery_id: str
    webhook_id: str
    endpoint_id: str
    url: str
    event_id: str
    event_type: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="null once it has ended.")
    ended_at: datetime | None
    response_status: int | None = Field(description="Of the last attempt.")
    error: str | None = Field(description="Of the last attempt.")
    response: str | None = Field(description="The beginning of the last answer.")
    history: list[Attempt] = Field(description="The last attempts, oldest first; at most twenty.")
    replay_of: str | None = Field(description="The delivery whose event this one carries again.")


class EventResource(Answer):
    """What an event is about."""

    type: str
    id: str


class Event(Answer):
    """What receivers are sent."""

    event_id: str = Field(description="The same in every attempt and replay.")
    event_type: str
    created_at: datetime
    organization_id: str
    namespace_id: str | None
    resource: EventResource
    data: dict[str, Any]
    request_id: str | None = Field(description="Of the request that caused it, directly or by a task.")


class DeliveryDetail(Delivery):
    """A delivery with the event that it carries."""

    event: Event


class DeliveryPage(Answer):
    """A page of deliveries, newest first."""

    results: list[Delivery]
    pagination: PageInfo


class Pinged(Answer):
    """The deliveries of a test, one to each endpoint."""

    results: list[Delivery]
