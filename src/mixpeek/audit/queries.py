"""SQL over audit_events; the changes themselves are written by triggers (migration 0002)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from mixpeek.audit.models import Event, Filters
from mixpeek.db.origin import Origin
from mixpeek.db.pool import Connection, all_rows

# One condition per filter, put into the statement only when it is asked: the planner then sees plain comparisons.
CONDITIONS = {
    "resource_type": "resource_type = %(resource_type)s",
    "resource_id": "resource_id = %(resource_id)s",
    "action": "action = %(action)s",
    "actor": "%(actor)s IN (actor_id, actor_name)",
    "status": "status = %(status)s",
    "namespace_id": "namespace_id = %(namespace_id)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
}


def list_events(
    connection: Connection, organization_id: str, filters: Filters, limit: int, before: int | None
) -> list[Event]:
    """Return the newest events that pass every filter; `before` is the entry the page starts behind."""
    values: dict[str, Any] = {key: value for key, value in asdict(filters).items() if value is not None}
    conditions = ["organization_id = %(organization)s", *(CONDITIONS[key] for key in values)]
    if before is not None:
        conditions.append("entry < %(before)s")
    return all_rows(
        connection,
        Event,
        "SELECT entry, at, namespace_id, resource_type, resource_id, action, status, actor_type, actor_id, actor_name,"
        f" changes, ip_address, user_agent, request_id FROM audit_events WHERE {' AND '.join(conditions)}"
        " ORDER BY entry DESC LIMIT %(limit)s",
        {**values, "organization": organization_id, "before": before, "limit": limit},
    )


def insert_refusal(
    connection: Connection,
    cause: Origin,
    *,
    action: str,
    resource_type: str,
    resource_id: str | None,
    status: str,
    details: dict[str, Any],
) -> None:
    """Record a change that a known actor asked for and did not get."""
    connection.execute(
        "INSERT INTO audit_events (organization_id, namespace_id, resource_type, resource_id, action, status,"
        " actor_type, actor_id, actor_name, changes, ip_address, user_agent, request_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            cause.organization_id, cause.namespace_id, resource_type, resource_id, action, status, cause.actor_type,
            cause.actor_id, cause.actor_name, Jsonb({"before": None, "after": None, **details}), cause.ip_address,
            cause.user_agent, cause.request_id,
        ],
    )  # fmt: skip


def record_change(
    connection: Connection,
    resource_type: str,
    resource_id: str,
    namespace_id: str,
    action: str,
    after: dict[str, Any],
) -> None:
    """Record a change of what no trigger watches, because batches write it by the thousand: an edit of documents."""
    connection.execute(
        "SELECT audit_write(%s, %s, NULL, %s, %s, NULL, audit_redact(%s))",
        [resource_type, resource_id, namespace_id, action, Jsonb(after)],
    )
