"""SQL over plugin_logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.db.pool import Connection, all_rows, dict_rows, scalar
from mixpeek.execution.port import LogLine, LogOrigin
from mixpeek.host.records import LEVELS
from mixpeek.plugin_logs.models import MOST_BYTES, KeptLine, LogFilter

CHANNEL = "mixpeek_plugin_logs"
_LOCK = 0x706C6F67
_COLUMNS = (
    "id, deployment_id, batch_id, host_id, source, stream, level, logger, message, exception, at, size_bytes,"
    " chunk, step"
)
_WANTED = (
    " FROM plugin_logs WHERE namespace_id = %(namespace_id)s AND plugin_id = %(plugin_id)s"
    " AND level >= %(level)s"
    " AND (%(deployment_id)s::text IS NULL OR deployment_id = %(deployment_id)s)"
    " AND (%(source)s::text IS NULL OR source = %(source)s)"
    " AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)"
)

Line = tuple[LogOrigin, str, LogLine]
"""Whose host, which host, and what it said."""


def insert_lines(connection: Connection, lines: Sequence[Line]) -> None:
    """Store lines in order and wake who follows them; those of what is deleted are left out."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    plugins = sorted({(origin.namespace_id, origin.plugin_id) for origin, _, _ in lines})
    # Held until the commit, so that no namespace is deleted between this look and its lines. One that is being deleted
    # is not waited for: every writer would wait with it, and its lines go with it anyway.
    rows = dict_rows(
        connection,
        "SELECT namespace_id, plugin_id FROM unnest(%s::text[], %s::text[]) AS said (namespace_id, plugin_id)"
        " JOIN namespaces USING (namespace_id) WHERE NOT EXISTS (SELECT FROM plugin_versions v"
        "  WHERE v.namespace_id = said.namespace_id AND v.plugin_id = said.plugin_id AND v.deleted_at IS NOT NULL)"
        " FOR KEY SHARE OF namespaces SKIP LOCKED",
        [[namespace for namespace, _ in plugins], [plugin for _, plugin in plugins]],
    )
    known = {(row["namespace_id"], row["plugin_id"]) for row in rows}
    copied = (
        "COPY plugin_logs (namespace_id, plugin_id, deployment_id, batch_id, host_id, source, stream, level, logger,"
        " message, exception, at, size_bytes, chunk, step) FROM STDIN"
    )
    with connection.cursor() as cursor, cursor.copy(copied) as copy:
        for origin, host_id, line in lines:
            if (origin.namespace_id, origin.plugin_id) in known:
                copy.write_row(_row(origin, host_id, line))
    for namespace_id, plugin_id in sorted(known):
        _notify(connection, namespace_id, plugin_id)


def size_of(line: LogLine) -> int:
    """Return how many bytes of text a line has, that of the row around it included."""
    return 100 + len(line.message.encode()) + len((line.exception or "").encode())


def list_latest(connection: Connection, wanted: LogFilter, limit: int, before: int | None) -> list[KeptLine]:
    """Return the latest lines, or those just before the line `before`, oldest first; see `may_go_on`."""
    found = all_rows(
        connection,
        KeptLine,
        f"SELECT {_COLUMNS} FROM (SELECT *, sum(size_bytes) OVER (ORDER BY id DESC) - size_bytes AS size_before FROM ("
        f"  SELECT {_COLUMNS}{_WANTED} AND (%(before)s::bigint IS NULL OR id < %(before)s)"
        "   ORDER BY id DESC LIMIT %(limit)s) AS found) AS counted"
        " WHERE size_before < %(most_bytes)s ORDER BY id DESC",
        {**wanted.params(), "before": before, "limit": limit, "most_bytes": MOST_BYTES},
    )
    return found[::-1]


def list_after(connection: Connection, wanted: LogFilter, limit: int, after: int) -> list[KeptLine]:
    """Return the lines that follow the line `after`, oldest first; see `may_go_on`."""
    return all_rows(
        connection,
        KeptLine,
        f"SELECT {_COLUMNS} FROM (SELECT *, sum(size_bytes) OVER (ORDER BY id) - size_bytes AS size_before FROM ("
        f"  SELECT {_COLUMNS}{_WANTED} AND id > %(after)s ORDER BY id LIMIT %(limit)s) AS found) AS counted"
        " WHERE size_before < %(most_bytes)s ORDER BY id",
        {**wanted.params(), "after": after, "limit": limit, "most_bytes": MOST_BYTES},
    )


def list_of_batch(
    connection: Connection, batch_id: str, plugin_ids: Sequence[str] | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Return the latest lines of a batch's hosts, or those just before the line `before`, oldest first.

    Args: plugin_ids: only of these versions; None for all.
    """
    found = dict_rows(
        connection,
        "SELECT * FROM (SELECT *, sum(size_bytes) OVER (ORDER BY id DESC) - size_bytes AS size_before FROM ("
        f"  SELECT plugin_id, {_COLUMNS} FROM plugin_logs WHERE batch_id = %(batch)s"
        "   AND (%(plugins)s::text[] IS NULL OR plugin_id = ANY(%(plugins)s))"
        "   AND (%(before)s::bigint IS NULL OR id < %(before)s)"
        "   ORDER BY id DESC LIMIT %(limit)s) AS found) AS counted"
        " WHERE size_before < %(most_bytes)s ORDER BY id",
        {
            "batch": batch_id,
            "plugins": None if plugin_ids is None else list(plugin_ids),
            "before": before,
            "limit": limit,
            "most_bytes": MOST_BYTES,
        },
    )
    for line in found:
        line["level"] = LEVELS[line["level"]]
        del line["size_bytes"], line["size_before"]
    return found


def newest_id(connection: Connection, namespace_id: str, plugin_id: str) -> int:
    """Return the id of a version's newest line, 0 if it has none."""
    found: int | None = scalar(
        connection,
        "SELECT max(id) FROM plugin_logs WHERE namespace_id = %s AND plugin_id = %s",
        [namespace_id, plugin_id],
    )
    return found or 0


def has_lines(connection: Connection, namespace_id: str, plugin_id: str) -> bool:
    """Tell whether anything of a plugin version is kept."""
    found: bool = scalar(
        connection,
        "SELECT EXISTS (SELECT FROM plugin_logs WHERE namespace_id = %s AND plugin_id = %s)",
        [namespace_id, plugin_id],
    )
    return found


def delete_lines(connection: Connection, namespace_id: str, plugin_id: str) -> None:
    """Delete all lines of a version that is being deleted, and wake who follows them."""
    connection.execute("DELETE FROM plugin_logs WHERE namespace_id = %s AND plugin_id = %s", [namespace_id, plugin_id])
    _notify(connection, namespace_id, plugin_id)


def delete_old(connection: Connection, days: float) -> int:
    """Delete lines older than so many days, and those that were on their way when their version was deleted."""
    old = connection.execute(
        "DELETE FROM plugin_logs WHERE at < now() - make_interval(secs => %s)", [days * 86400]
    ).rowcount
    orphans = connection.execute(
        "DELETE FROM plugin_logs l USING plugin_versions v WHERE v.deleted_at IS NOT NULL"
        " AND l.namespace_id = v.namespace_id AND l.plugin_id = v.plugin_id"
    ).rowcount
    return old + orphans


def delete_surplus(connection: Connection, namespace_id: str, plugin_id: str, keep_bytes: int) -> int:
    """Delete the oldest lines of a version, so that about `keep_bytes` stay; return how many."""
    return connection.execute(
        "DELETE FROM plugin_logs WHERE namespace_id = %(n)s AND plugin_id = %(p)s AND id <= ("
        " SELECT max(id) FROM (SELECT id, sum(size_bytes) OVER (ORDER BY id DESC) AS total FROM plugin_logs"
        "  WHERE namespace_id = %(n)s AND plugin_id = %(p)s) AS counted WHERE total > %(keep)s)",
        {"n": namespace_id, "p": plugin_id, "keep": keep_bytes},
    ).rowcount


def list_large(connection: Connection, most_bytes: int) -> list[tuple[str, str]]:
    """Return the (namespace id, plugin id) of versions whose lines have more than `most_bytes`."""
    rows = dict_rows(
        connection,
        "SELECT namespace_id, plugin_id FROM plugin_logs GROUP BY 1, 2 HAVING sum(size_bytes) > %s",
        [most_bytes],
    )
    return [(row["namespace_id"], row["plugin_id"]) for row in rows]


def _notify(connection: Connection, namespace_id: str, plugin_id: str) -> None:
    connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{namespace_id}/{plugin_id}"])


def _row(origin: LogOrigin, host_id: str, line: LogLine) -> tuple[Any, ...]:
    return (
        origin.namespace_id,
        origin.plugin_id,
        origin.deployment_id,
        origin.batch_id,
        host_id,
        origin.source,
        line.stream,
        LEVELS.index(line.level),
        line.logger,
        line.message,
        line.exception,
        line.at,
        size_of(line),
        line.chunk,
        line.step,
    )
