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


def beat_again(connection: Connection, process_id: str) -> bool:
    """Record that a process that is known to be alive still is; False if it was taken for dead meanwhile."""
    moved = connection.execute("UPDATE processes SET heartbeat_at = now() WHERE process_id = %s", [process_id])
    return moved.rowcount == 1


def retire(connection: Connection, process_id: str) -> None:
    connection.execute("DELETE FROM processes WHERE process_id = %s", [process_id])


def has_beaten(connection: Connection, executor_id: str, within_s: float) -> bool:
    """Tell whether a worker is known and has said so lately that it lives."""
    rows = dict_rows(
        connection,
        "SELECT 1 FROM processes WHERE executor_id = %s AND heartbeat_at > now() - make_interval(secs => %s)",
        [executor_id, within_s],
    )
    return bool(rows)


def is_known(connection: Connection, executor_id: str) -> bool:
    """Tell whether a worker has begun, and neither ended in order nor was taken for dead."""
    return bool(dict_rows(connection, "SELECT 1 FROM processes WHERE executor_id = %s", [executor_id]))


def forget_executor(connection: Connection, executor_id: str) -> None:
    """Take a worker for dead: should it live after all, it ends when it next says so."""
    connection.execute("DELETE FROM processes WHERE executor_id = %s", [executor_id])


def list_alive(connection: Connection) -> list[dict[str, Any]]:
    return dict_rows(
        connection,
        "SELECT process_id, role, started_at, heartbeat_at FROM processes"
        " WHERE heartbeat_at > now() - interval '10 seconds' ORDER BY role",
    )
