"""Webhooks of the organization; a secret is in the answer that made it, and never again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from mixpeek.api.access import Admin, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.paging import PageDep, wire_page
from mixpeek.api.schemas.webhooks import Delivery, DeliveryDetail, DeliveryPage, Pinged, Webhook, WebhookPage
from mixpeek.errors import InvalidRequest
from mixpeek.webhooks import queries, service
from mixpeek.webhooks.event_types import PING, fault_of_pattern
from mixpeek.webhooks.schemas import ChangeWebhook, CreateWebhook, ListWebhooks, ReplaceWebhook, RotateSecret

router = APIRouter(prefix="/v1/organizations/webhooks", tags=["webhooks"])


@router.post("/", **answers(Webhook, 404, 409, 500, status=201, checked=True))
def create_webhook(platform: PlatformDep, caller: Admin, body: CreateWebhook) -> dict[str, Any]:
    """Have events sent to URLs; each channel's `configs.secret` is shown this once, unless it was given."""
    with platform.database.transaction() as connection:
        made, secrets = platform.webhooks.create(connection, caller.organization_id, body)
    return made.wire(secrets)


@router.post("/list", **answers(WebhookPage, checked=True))
def list_webhooks(
    platform: PlatformDep,
    caller: Admin,
    page: PageDep,
    body: ListWebhooks | None = None,
    include_total: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """List webhooks."""
    wanted = body or ListWebhooks()
    return _listed(platform, caller, page, wanted.event_type, wanted.is_active, include_total=include_total)


@router.get("/", **answers(WebhookPage, checked=True))
def list_all_webhooks(
    platform: PlatformDep,
    caller: Admin,
    page: PageDep,
    event_type: Annotated[str | None, Query()] = None,
    is_active: Annotated[bool | None, Query()] = None,
    include_total: Annotated[bool, Query()] = False,
) -> dict[str, Any]:
    """List webhooks, as `POST /list` does."""
    return _listed(platform, caller, page, event_type, is_active, include_total=include_total)


@router.get("/{webhook_identifier}", **answers(Webhook, checked=True))
def get_webhook(platform: PlatformDep, caller: Admin, webhook_identifier: str) -> dict[str, Any]:
    """Return a webhook, and how its endpoints have been doing."""
    with platform.database.transaction() as connection:
        return service.get_webhook(connection, caller.organization_id, webhook_identifier).wire()


@router.put("/{webhook_identifier}", **answers(Webhook, 409, 500, checked=True))
def replace_webhook(
    platform: PlatformDep, caller: Admin, webhook_identifier: str, body: ReplaceWebhook
) -> dict[str, Any]:
    """Set every field of a webhook; endpoints keep their secrets, known by URL, else in order."""
    with platform.database.transaction() as connection:
        changed, secrets = platform.webhooks.replace(connection, caller.organization_id, webhook_identifier, body)
    return changed.wire(secrets)


@router.patch("/{webhook_identifier}", **answers(Webhook, 409, 500, checked=True))
def change_webhook(
    platform: PlatformDep, caller: Admin, webhook_identifier: str, body: ChangeWebhook
) -> dict[str, Any]:
    """Set some fields of a webhook; `is_active: true` also enables endpoints that were disabled."""
    with platform.database.transaction() as connection:
        changed, secrets = platform.webhooks.change(connection, caller.organization_id, webhook_identifier, body)
    return changed.wire(secrets)


@router.delete("/{webhook_identifier}", **answers(None, status=204))
def delete_webhook(platform: PlatformDep, caller: Admin, webhook_identifier: str) -> Response:
    """Delete a webhook with its deliveries; what waits is not sent."""
    with platform.database.transaction() as connection:
        platform.webhooks.delete(connection, caller.organization_id, webhook_identifier)
    return Response(status_code=204)


@router.post("/{webhook_identifier}/rotate-secret", **answers(Webhook, 409, 500, checked=True))
def rotate_webhook_secret(
    platform: PlatformDep, caller: Admin, webhook_identifier: str, body: RotateSecret | None = None
) -> dict[str, Any]:
    """Replace a secret; both sign until the overlap ends, so that a receiver misses nothing while it changes."""
    wanted = body or RotateSecret()
    with platform.database.transaction() as connection:
        rotated, secrets = platform.webhooks.rotate_secret(
            connection, caller.organization_id, webhook_identifier, wanted
        )
    return rotated.wire(secrets)


@router.post("/{webhook_identifier}/test", **answers(Pinged, 409, status=202, checked=True))
def test_webhook(platform: PlatformDep, caller: Admin, webhook_identifier: str) -> dict[str, Any]:
    """Send a `webhook.ping` to every endpoint; ask for the deliveries to see how it went."""
    with platform.database.transaction() as connection:
        webhook = service.get_webhook(connection, caller.organization_id, webhook_identifier)
        return {"results": [made.wire() for made in service.ping(connection, webhook)]}


@router.get("/{webhook_identifier}/deliveries", **answers(DeliveryPage, checked=True))
def list_deliveries(
    platform: PlatformDep,
    caller: Admin,
    webhook_identifier: str,
    page: PageDep,
    state: Annotated[Literal["pending", "delivered", "failed"] | None, Query()] = None,
    event_type: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """List what was sent or is to be, newest first."""
    _check_type(event_type)
    with platform.database.transaction() as connection:
        webhook = service.get_webhook(connection, caller.organization_id, webhook_identifier)
        found = queries.list_deliveries(
            connection, webhook.webhook_id, page.limit, page.after_number or None, state, event_type
        )
    return wire_page(page, [each.wire() for each in found], str(found[-1].entry) if found else None)


@router.get("/{webhook_identifier}/deliveries/{delivery_id}", **answers(DeliveryDetail, checked=True))
def get_delivery(platform: PlatformDep, caller: Admin, webhook_identifier: str, delivery_id: str) -> dict[str, Any]:
    """Return a delivery with its event and its last attempts."""
    with platform.database.transaction() as connection:
        webhook = service.get_webhook(connection, caller.organization_id, webhook_identifier)
        found, event = service.get_delivery(connection, webhook, delivery_id)
    return {**found.wire(), "event": event.wire()}


@router.post(
    "/{webhook_identifier}/deliveries/{delivery_id}/replay", **answers(Delivery, 409, status=202, checked=True)
)
def replay_delivery(platform: PlatformDep, caller: Admin, webhook_identifier: str, delivery_id: str) -> dict[str, Any]:
    """Send an event once more to the endpoint it was for, as a new delivery of the same event id."""
    with platform.database.transaction() as connection:
        webhook = service.get_webhook(connection, caller.organization_id, webhook_identifier)
        return service.replay(connection, webhook, delivery_id).wire()


def _listed(
    platform: PlatformDep,
    caller: Admin,
    page: PageDep,
    event_type: str | None,
    is_active: bool | None,
    *,
    include_total: bool,
) -> dict[str, Any]:
    _check_type(event_type)
    organization = caller.organization_id
    with platform.database.transaction() as connection:
        found = queries.list_webhooks(
            connection, organization, page.limit, page.after, page.offset, event_type, is_active
        )
        total = queries.count_webhooks(connection, organization, event_type, is_active)
    listed = wire_page(page, [each.wire() for each in found], found[-1].webhook_id if found else None)
    if include_total:
        listed["pagination"]["total"] = total
    return {**listed, "total": total}


def _check_type(event_type: str | None) -> None:
    """Refuse to filter by a type that does not exist: the answer would be an empty list, silently."""
    fault = None if event_type in (None, PING) else fault_of_pattern(event_type or "")
    if fault:
        raise InvalidRequest(fault, hint="A filter takes one of the types that a webhook may be told of")
