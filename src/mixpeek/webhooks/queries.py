"""SQL over webhooks, their endpoints and deliveries, and events; events are written by triggers (migration 0019)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection, all_rows, dict_rows, first_row, scalar
from mixpeek.webhooks.event_types import PING
from mixpeek.webhooks.models import Claim, Delivery, Endpoint, Event, Webhook

CHANNEL = "mixpeek_webhooks"
# Of all the attempts these are kept in a delivery.
HISTORY = 20
_WEBHOOK = (
    "SELECT webhook_id, organization_id, webhook_name, event_types, namespaces, is_active, created_at, updated_at"
    " FROM webhooks"
)
_ENDPOINT: LiteralString = (
    "endpoint_id, webhook_id, place, url, header_names, timeout_s, old_secret_ends, failures, failing_since,"
    " last_error, disabled_at, disabled_reason"
)
_EVENT: LiteralString = (
    "event_id, event_type, organization_id, namespace_id, resource_type, resource_id, data, request_id, at"
)
_DELIVERY = (
    "SELECT d.entry, d.delivery_id, d.webhook_id, d.endpoint_id, e.url, v.event_id, d.event_type, d.state, d.attempts,"
    " d.created_at, d.next_attempt_at, d.ended_at, d.history, d.response, d.replay_of FROM webhook_deliveries d"
    " JOIN webhook_endpoints e USING (endpoint_id) JOIN events v ON v.entry = d.event"
)
# Nobody else sends it: no lease, one that ran out, or one of a process that is gone.
_FREE: LiteralString = "(d.leased_until IS NULL OR d.leased_until < now() OR d.leased_by <> ALL(%(living)s))"


# webhooks ------------------------------------------------------------------------------------------------------------


def insert_webhook(connection: Connection, webhook: dict[str, Any]) -> bool:
    """Insert a webhook; False where the organization has one of this name."""
    cursor = connection.execute(
        "INSERT INTO webhooks (webhook_id, organization_id, webhook_name, event_types, namespaces, is_active) VALUES"
        " (%(webhook_id)s, %(organization_id)s, %(webhook_name)s, %(event_types)s, %(namespaces)s, %(is_active)s)"
        " ON CONFLICT DO NOTHING",
        webhook,
    )
    return cursor.rowcount == 1


def update_webhook(connection: Connection, webhook: Webhook) -> None:
    """Write every field that may change; raise psycopg's UniqueViolation where the name is taken."""
    connection.execute(
        "UPDATE webhooks SET webhook_name = %s, event_types = %s, namespaces = %s, is_active = %s,"
        " updated_at = clock_timestamp() WHERE webhook_id = %s",
        [webhook.webhook_name, webhook.event_types, webhook.namespaces, webhook.is_active, webhook.webhook_id],
    )


def delete_webhook(connection: Connection, webhook_id: str) -> None:
    connection.execute("DELETE FROM webhooks WHERE webhook_id = %s", [webhook_id])


def find_webhook(
    connection: Connection, organization_id: str, identifier: str, *, lock: bool = False
) -> Webhook | None:
    """Find a webhook by id or name, with its endpoints."""
    found = first_row(
        connection,
        Webhook,
        f"{_WEBHOOK} WHERE organization_id = %s AND %s IN (webhook_id, webhook_name)"
        f" ORDER BY webhook_id = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        [organization_id, identifier, identifier],
    )
    return None if found is None else _with_endpoints(connection, [found])[0]


def list_webhooks(
    connection: Connection,
    organization_id: str,
    limit: int,
    after: str,
    offset: int,
    event_type: str | None,
    is_active: bool | None,
) -> list[Webhook]:
    """List webhooks by id."""
    found = all_rows(
        connection,
        Webhook,
        f"{_WEBHOOK} WHERE {_LISTED} AND webhook_id > %(after)s ORDER BY webhook_id LIMIT %(limit)s OFFSET %(offset)s",
        {**_listed(organization_id, event_type, is_active), "after": after, "limit": limit, "offset": offset},
    )
    return _with_endpoints(connection, found)


def count_webhooks(
    connection: Connection, organization_id: str, event_type: str | None = None, is_active: bool | None = None
) -> int:
    params = _listed(organization_id, event_type, is_active)
    return int(scalar(connection, f"SELECT count(*) FROM webhooks WHERE {_LISTED}", params))


_LISTED: LiteralString = (
    "organization_id = %(organization)s AND (%(type)s::text IS NULL OR event_matches(event_types, %(type)s))"
    " AND (%(active)s::boolean IS NULL OR is_active = %(active)s)"
)


def _listed(organization_id: str, event_type: str | None, is_active: bool | None) -> dict[str, Any]:
    return {"organization": organization_id, "type": event_type, "active": is_active}


def _with_endpoints(connection: Connection, webhooks: Sequence[Webhook]) -> list[Webhook]:
    endpoints = all_rows(
        connection,
        Endpoint,
        f"SELECT {_ENDPOINT} FROM webhook_endpoints WHERE webhook_id = ANY(%s) ORDER BY webhook_id, place",
        [[each.webhook_id for each in webhooks]],
    )
    return [
        replace(each, endpoints=[own for own in endpoints if own.webhook_id == each.webhook_id]) for each in webhooks
    ]


# endpoints -----------------------------------------------------------------------------------------------------------


def insert_endpoint(connection: Connection, endpoint: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO webhook_endpoints (endpoint_id, webhook_id, place, url, header_names, timeout_s)"
        " VALUES (%(endpoint_id)s, %(webhook_id)s, %(place)s, %(url)s, %(header_names)s, %(timeout_s)s)",
        endpoint,
    )


def update_endpoint(connection: Connection, endpoint: dict[str, Any]) -> None:
    connection.execute(
        "UPDATE webhook_endpoints SET place = %(place)s, url = %(url)s, header_names = %(header_names)s,"
        " timeout_s = %(timeout_s)s WHERE endpoint_id = %(endpoint_id)s",
        endpoint,
    )


def delete_endpoint(connection: Connection, endpoint_id: str) -> None:
    connection.execute("DELETE FROM webhook_endpoints WHERE endpoint_id = %s", [endpoint_id])


def enable_endpoints(connection: Connection, endpoint_ids: Collection[str]) -> None:
    """Forget how these endpoints have been doing, and that they were disabled."""
    connection.execute(
        "UPDATE webhook_endpoints SET failures = 0, failing_since = NULL, last_error = NULL, disabled_at = NULL,"
        " disabled_reason = NULL WHERE endpoint_id = ANY(%s) AND failures > 0",
        [list(endpoint_ids)],
    )


def set_old_secret_end(connection: Connection, endpoint_id: str, overlap_s: int) -> None:
    connection.execute(
        "UPDATE webhook_endpoints SET old_secret_ends = now() + make_interval(secs => %s) WHERE endpoint_id = %s",
        [overlap_s, endpoint_id],
    )


def note_success(connection: Connection, endpoint_id: str) -> None:
    """End a row of failures; an endpoint that was disabled stays so until somebody enables it."""
    connection.execute(
        "UPDATE webhook_endpoints SET failures = 0, failing_since = NULL, last_error = NULL"
        " WHERE endpoint_id = %s AND failures > 0 AND disabled_at IS NULL",
        [endpoint_id],
    )


def note_failure(connection: Connection, endpoint_id: str, error: str) -> Endpoint | None:
    """Count a failure and return the endpoint as it stands now, None if it is gone."""
    return first_row(
        connection,
        Endpoint,
        "UPDATE webhook_endpoints SET failures = failures + 1, last_error = %s,"
        f" failing_since = COALESCE(failing_since, now()) WHERE endpoint_id = %s RETURNING {_ENDPOINT}",
        [error, endpoint_id],
    )


def disable_endpoint(connection: Connection, endpoint_id: str, reason: str) -> int:
    """Disable an endpoint and give up what waits for it; return how many deliveries that are."""
    connection.execute(
        "UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = %s WHERE endpoint_id = %s",
        [reason, endpoint_id],
    )
    return connection.execute(
        "UPDATE webhook_deliveries SET state = 'failed', ended_at = now(), leased_by = NULL, leased_until = NULL,"
        " history = history || jsonb_build_object('at', now(), 'status', NULL, 'error', %s::text, 'duration_ms', 0)"
        " WHERE endpoint_id = %s AND state = 'pending'",
        [f"not sent: {reason}", endpoint_id],
    ).rowcount


# deliveries ----------------------------------------------------------------------------------------------------------


def list_deliveries(
    connection: Connection, webhook_id: str, limit: int, before: int | None, state: str | None, event_type: str | None
) -> list[Delivery]:
    """List a webhook's deliveries, newest first; `before` is the entry that the page starts behind."""
    return all_rows(
        connection,
        Delivery,
        f"{_DELIVERY} WHERE d.webhook_id = %(webhook)s AND (%(before)s::bigint IS NULL OR d.entry < %(before)s)"
        " AND (%(state)s::text IS NULL OR d.state = %(state)s) AND (%(type)s::text IS NULL OR d.event_type = %(type)s)"
        " ORDER BY d.entry DESC LIMIT %(limit)s",
        {"webhook": webhook_id, "before": before, "state": state, "type": event_type, "limit": limit},
    )


def find_delivery(connection: Connection, webhook_id: str, delivery_id: str) -> Delivery | None:
    return first_row(
        connection, Delivery, f"{_DELIVERY} WHERE d.webhook_id = %s AND d.delivery_id = %s", [webhook_id, delivery_id]
    )


def find_event(connection: Connection, event_id: str) -> Event | None:
    return first_row(connection, Event, f"SELECT {_EVENT} FROM events WHERE event_id = %s", [event_id])


def insert_replay(connection: Connection, delivery_id: str) -> str:
    """Have an event sent once more to the endpoint it was for; return the id of the new delivery."""
    made: str = scalar(
        connection,
        "INSERT INTO webhook_deliveries (event, endpoint_id, webhook_id, event_type, replay_of) SELECT event,"
        " endpoint_id, webhook_id, event_type, delivery_id FROM webhook_deliveries WHERE delivery_id = %s"
        " RETURNING delivery_id",
        [delivery_id],
    )
    _notify(connection)
    return made


def insert_ping(connection: Connection, webhook: Webhook) -> list[str]:
    """Have an event of no consequence sent to every endpoint of a webhook; return the ids of the deliveries."""
    rows = dict_rows(
        connection,
        "WITH written AS (INSERT INTO events (organization_id, event_type, resource_type, resource_id, data)"
        "  VALUES (%(organization)s, %(type)s, 'webhook', %(webhook)s, %(data)s) RETURNING entry)"
        " INSERT INTO webhook_deliveries (event, endpoint_id, webhook_id, event_type)"
        " SELECT written.entry, endpoint_id, webhook_id, %(type)s FROM written, webhook_endpoints"
        " WHERE webhook_id = %(webhook)s ORDER BY place RETURNING delivery_id",
        {
            "organization": webhook.organization_id,
            "type": PING,
            "webhook": webhook.webhook_id,
            "data": Jsonb({"webhook_id": webhook.webhook_id, "webhook_name": webhook.webhook_name}),
        },
    )
    _notify(connection)
    return [row["delivery_id"] for row in rows]


def wake(connection: Connection) -> None:
    """Have whoever delivers look again."""
    _notify(connection)


def _notify(connection: Connection) -> None:
    connection.execute(f"NOTIFY {CHANNEL}")


# sending -------------------------------------------------------------------------------------------------------------


def list_living(connection: Connection) -> list[str]:
    """Return the names of the connections there are: a process that delivers holds one under its own."""
    rows = dict_rows(connection, "SELECT DISTINCT application_name AS name FROM pg_stat_activity")
    return [row["name"] for row in rows]


def claim(connection: Connection, process_id: str, most_per_endpoint: int, spare_s: float) -> list[Claim]:
    """Take the lease of what is due, oldest first, at most so many of each endpoint that are under way at once.

    Args: spare_s: how much longer than the endpoint's time limit the lease holds.
    """
    # One at a time, so that no two count the same free places.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [CHANNEL])
    living = list_living(connection)
    rows = dict_rows(
        connection,
        "WITH due AS (SELECT d.entry, e.timeout_s FROM webhook_endpoints e JOIN webhooks w USING (webhook_id)"
        "  CROSS JOIN LATERAL (SELECT d.entry FROM webhook_deliveries d WHERE d.endpoint_id = e.endpoint_id"
        f"   AND d.state = 'pending' AND d.next_attempt_at <= now() AND {_FREE}"
        "    ORDER BY d.next_attempt_at, d.entry LIMIT GREATEST(0, %(most)s - ("
        "     SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.state = 'pending'"
        f"     AND NOT {_FREE})) FOR UPDATE SKIP LOCKED) d WHERE w.is_active),"
        " claimed AS (UPDATE webhook_deliveries d SET leased_by = %(process)s, attempts = attempts + 1,"
        "  leased_until = now() + make_interval(secs => due.timeout_s + %(spare)s),"
        "  started_at = COALESCE(started_at, now()) FROM due WHERE d.entry = due.entry RETURNING d.*)"
        " SELECT c.entry, c.delivery_id, c.attempts, c.started_at, e.*,"
        f" {', '.join(f'v.{name}' for name in _EVENT.split(', '))} FROM claimed c"
        " JOIN webhook_endpoints e USING (endpoint_id) JOIN events v ON v.entry = c.event ORDER BY c.entry",
        {"most": most_per_endpoint, "living": living, "process": process_id, "spare": spare_s},
    )
    return [
        Claim(
            row["entry"],
            row["delivery_id"],
            row["attempts"],
            row["started_at"],
            Endpoint(**{field.name: row[field.name] for field in fields(Endpoint)}),
            Event(**{field.name: row[field.name] for field in fields(Event)}),
        )
        for row in rows
    ]


def next_due_s(connection: Connection) -> float | None:
    """Return in how many seconds a delivery that nobody sends yet becomes due, None if there is none."""
    found = scalar(
        connection,
        "SELECT extract(epoch FROM min(GREATEST(next_attempt_at, COALESCE(leased_until, next_attempt_at))) - now())"
        " FROM webhook_deliveries d JOIN webhooks w USING (webhook_id) WHERE d.state = 'pending' AND w.is_active",
    )
    return None if found is None else float(found)


def finish(connection: Connection, entry: int, state: str, attempt: dict[str, Any], response: str | None) -> None:
    """Record how the last attempt of a delivery ended it."""
    _record(connection, entry, attempt, response, "state = %(state)s, ended_at = now()", {"state": state})


def postpone(connection: Connection, entry: int, pause_s: float, attempt: dict[str, Any], response: str | None) -> None:
    """Record an attempt that failed, and when the next one is due."""
    due: LiteralString = "next_attempt_at = now() + make_interval(secs => %(pause)s)"
    _record(connection, entry, attempt, response, due, {"pause": pause_s})


def _record(
    connection: Connection,
    entry: int,
    attempt: dict[str, Any],
    response: str | None,
    change: LiteralString,
    params: dict[str, Any],
) -> None:
    connection.execute(
        f"UPDATE webhook_deliveries SET {change}, leased_by = NULL, leased_until = NULL, response = %(response)s,"
        " history = (SELECT jsonb_agg(a ORDER BY n) FROM jsonb_array_elements(history || %(attempt)s::jsonb)"
        "  WITH ORDINALITY t (a, n) WHERE n > jsonb_array_length(history) + 1 - %(history)s)"
        " WHERE entry = %(entry)s AND state = 'pending'",
        {"entry": entry, "response": response, "attempt": Jsonb([attempt]), "history": HISTORY, **params},
    )


def delete_old(connection: Connection, days: float) -> int:
    """Delete events older than so many days, and their deliveries; return how many events."""
    return connection.execute(
        "DELETE FROM events WHERE at < now() - make_interval(secs => %s)", [days * 86400]
    ).rowcount
