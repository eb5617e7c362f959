"""`mixpeek webhook`: have a URL told of what happens on a server, and see what it was told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.output import Output
from mixpeek.cli.session import Session, on_server
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.client import Response

app = typer.Typer(help="Have URLs told of what happens on the server.", no_args_is_help=True)

FAILED = 1
_PAGE = 1000

Webhook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="ID or name of the webhook.")]
DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY", help="ID of the delivery.")]


class State(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@app.command("create")
@on_server
def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new webhook.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are sent by POST.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", "-e", help="Event type or pattern such as `batch.*`; may be repeated; default all."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="`NAME: VALUE` to send along; may be repeated.")
    ] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Only events of this one; may be repeated.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds one attempt may take; default 10.")
    ] = None,
) -> None:
    """Have events sent to a URL, and print the secret that signs them; it cannot be shown again.

    Example: `mixpeek webhook create build-server https://ci.example.com/hook --event 'batch.*'`
    """
    client, output = session.client, session.output
    made = client.webhooks.create(
        name,
        url,
        event or ["*"],
        headers=_headers(header) if header else None,
        timeout_s=timeout,
        namespaces=namespace or None,
    )
    output.document(made)
    output.show(made["channels"][0]["configs"]["secret"])
    output.say(f"{made['webhook_id']} is told from now on; its secret is shown this once, keep it")
    _warn(output, made)


@app.command("list")
@on_server
def list_webhooks(session: Session) -> None:
    """List every webhook and how its endpoints are doing.

    Example: `mixpeek webhook list`
    """
    client, output = session.client, session.output
    found: list[Any] = []
    page = client.webhooks.list(limit=_PAGE)
    while True:
        found += page["results"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
        page = client.webhooks.list(limit=_PAGE, cursor=cursor)
    output.document({**page, "results": found})
    output.table(
        ("ID", "NAME", "ACTIVE", "EVENTS", "URL", "STATE"),
        [_row(each, channel) for each in found for channel in each["channels"]],
        empty="No webhooks yet; `mixpeek webhook create NAME URL` makes one",
    )


@app.command("show")
@on_server
def show(session: Session, *, webhook: Webhook) -> None:
    """Show a webhook and how its endpoints are doing; its secret is never shown.

    Example: `mixpeek webhook show build-server`
    """
    client, output = session.client, session.output
    found = client.webhooks.get(webhook)
    output.document(found)
    output.table(
        ("ID", "NAME", "ACTIVE", "EVENTS", "URL", "STATE"),
        [_row(found, channel) for channel in found["channels"]],
        empty="",
    )
    for channel in found["channels"]:
        reason = channel["disabled_reason"] or channel["last_error"]
        if reason:
            output.say(f"{channel['configs']['url']}: {reason}")
    _warn(output, found)


@app.command("delete")
@on_server
def delete(session: Session, *, webhook: Webhook) -> None:
    """Delete a webhook; what waits to be delivered is not sent.

    Example: `mixpeek webhook delete build-server`
    """
    client, output = session.client, session.output
    client.webhooks.delete(webhook)
    output.document({"success": True, "webhook": webhook, "deleted": True})
    output.show(f"{webhook} is deleted")


@app.command("deliveries")
@on_server
def deliveries(
    session: Session,
    *,
    webhook: Webhook,
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    event: Annotated[str | None, typer.Option("--event", "-e", help="Only those of this event type.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, the newest first.")] = 20,
) -> None:
    """List what a webhook was sent, newest first.

    Example: `mixpeek webhook deliveries build-server --state failed`
    """
    client, output = session.client, session.output
    found = client.webhooks.deliveries(webhook, state=state and str(state), event_type=event, limit=limit)
    output.document(found)
    output.table(
        ("ID", "CREATED", "EVENT", "STATE", "ATTEMPTS", "STATUS", "ERROR"),
        [
            (
                each["delivery_id"], each["created_at"], each["event_type"], each["state"], each["attempts"],
                each["response_status"], each["error"],
            )
            for each in found["results"]
        ],
        empty="Nothing was sent yet",
    )  # fmt: skip


@app.command("replay")
@on_server
def replay(session: Session, *, webhook: Webhook, delivery: DeliveryId) -> None:
    """Send the event of a delivery once more, and say how it went.

    Example: `mixpeek webhook replay build-server whd_0123456789abcdef`
    """
    client, output = session.client, session.output
    made = client.webhooks.replay(webhook, delivery)
    _report(output, [_tried(session, webhook, made["delivery_id"])])


@app.command("test")
@on_server
def test(session: Session, *, webhook: Webhook) -> None:
    """Send a `webhook.ping`, and say how it went.

    Example: `mixpeek webhook test build-server`
    """
    client, output = session.client, session.output
    made = client.webhooks.test(webhook)["results"]
    _report(output, [_tried(session, webhook, each["delivery_id"]) for each in made])


def _tried(session: Session, webhook: str, delivery_id: str) -> Response:
    """Return a delivery once it was tried for the first time; whether it is tried again is not waited for."""
    return session.client.webhooks.wait(
        webhook, delivery_id, is_over=lambda each: bool(each["history"]) or each["state"] != "pending", timeout_s=60
    )


def _report(output: Output, tried: list[Response]) -> None:
    output.document({"results": tried})
    for each in tried:
        if each["state"] == "delivered":
            output.show(f"{each['url']} answered {each['response_status']}")
        else:
            again = "; it is tried again" if each["state"] == "pending" else ""
            output.show(f"{each['url']} did not take it: {each['error']}{again}")
    if any(each["state"] != "delivered" for each in tried):
        raise typer.Exit(FAILED)


def _row(webhook: Any, channel: Any) -> tuple[Any, ...]:
    active = "yes" if webhook["is_active"] else "no"
    events = ",".join(webhook["event_types"])
    return webhook["webhook_id"], webhook["webhook_name"], active, events, channel["configs"]["url"], channel["state"]


def _warn(output: Output, webhook: Response) -> None:
    for warning in webhook["warnings"]:
        output.say(f"warning: {warning}", "yellow")


def _headers(given: list[str]) -> dict[str, str]:
    headers = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise InvalidRequest(f"{name.strip()!r} is no header", hint="Write `NAME: VALUE`")
        headers[name.strip()] = value.strip()
    return headers
