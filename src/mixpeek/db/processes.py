"""Which server processes are alive, by their heartbeats."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection, dict_rows


def beat(connection: Connection, process_id: str, role: str, executor_id: str | None = None) -> None:
    """Record that a process is alive, and forget those dead for a day."""
    connection.execute(
        "INSERT INTO processes (process_id, role, executor_id) VALUES (%s, %s, %s)"
        " ON CONFLICT (process_id) DO UPDATE SET heartbeat_at = now()",
        [process_id, role, executor_id],
    )
    connection.execute("DELETE FROM processes WHERE heartbeat_at < now() - interval '1 day'")


def retire(connection: Connection, process_id: str) -> None:
    connection.execute("DELETE FROM processes WHERE process_id = %s", [process_id])


def list_alive(connection: Connection) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT process_id, role, started_at, heartbeat_at FROM processes"
        " WHERE heartbeat_at > now() - interval '10 seconds' ORDER BY role",
    )
