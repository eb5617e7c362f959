"""Listing, history and diff over HTTP with 1,000 versions of one plugin and 1,000 plugins in a namespace.

Two versions are published; the others are copies of the first one's row, put in by SQL. Limit: 50 ms at the 99th
percentile on the embedded database, the median of interleaved rounds. PostgreSQL's log tells the statements of a
request, once with 10 versions and once with 1,000: they must be as many.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
from startup import free_port, start

from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres

COUNT, FEW, ROUNDS, REQUESTS, WARM_UP, LIMIT_MS = 1000, 10, 5, 100, 10, 50.0
KEY = "sk_bench"
PLUGIN = Path(__file__).resolve().parents[1] / "examples" / "plugins" / "text_embedding"
NAME = "text_embedding"
COPIED = (
    "version_key, description, code_hash, package, archive_sha256, archive_key, size_bytes, files, manifest,"
    " realtime_style, findings, message, author"
)


def copy_versions(connection: psycopg.Connection[Any], namespace: str, count: int) -> None:
    """Add versions 2.0.1 … 2.0.`count`, each published and deployed once by the ledger."""
    connection.execute(
        "INSERT INTO plugin_versions (namespace_id, plugin_id, name, version, " + COPIED + ")"
        " SELECT namespace_id, name || '_2_0_' || n, name, '2.0.' || n, ARRAY[2, 0, n],"
        " description, code_hash, package, archive_sha256, archive_key, size_bytes, files,"
        " manifest || jsonb_build_object('version', '2.0.' || n), realtime_style, findings, 'release ' || n, author"
        " FROM plugin_versions, generate_series(1, %s) AS n WHERE namespace_id = %s AND plugin_id = %s"
        " ON CONFLICT DO NOTHING",
        [count, namespace, f"{NAME}_1_0_0"],
    )
    connection.execute(
        "INSERT INTO plugin_ledger (namespace_id, name, plugin_id, action, outcome, actor, message)"
        " SELECT namespace_id, name, plugin_id, action, outcome, 'bench', message FROM plugin_versions,"
        " (VALUES ('publish', 'published'), ('deploy', 'queued'), ('deploy', 'deployed')) AS done (action, outcome)"
        " WHERE namespace_id = %s AND version LIKE '2.0.%%'",
        [namespace],
    )


def copy_plugins(connection: psycopg.Connection[Any], source: str, namespace: str, count: int) -> None:
    """Put `count` plugins of one version each into `namespace`."""
    connection.execute(
        "INSERT INTO plugin_versions (namespace_id, plugin_id, name, version, " + COPIED + ")"
        " SELECT %s, name || n || '_1_0_0', name || n, version, " + COPIED + " FROM plugin_versions,"
        " generate_series(1, %s) AS n WHERE namespace_id = %s AND plugin_id = %s ON CONFLICT DO NOTHING",
        [namespace, count, source, f"{NAME}_1_0_0"],
    )
    connection.execute(
        "INSERT INTO active_versions (namespace_id, name, plugin_id) SELECT namespace_id, name, plugin_id"
        " FROM plugin_versions WHERE namespace_id = %s ON CONFLICT DO NOTHING",
        [namespace],
    )


def statements(connection: psycopg.Connection[Any], log: Path, ask: Any) -> int:
    """Return how many statements about namespaces and plugins one request takes."""
    connection.execute("ALTER SYSTEM SET log_statement = 'all'")
    connection.execute("SELECT pg_reload_conf()")
    ask()
    time.sleep(1.0)  # the reload reaches every session before its next statement
    marks = []
    for _ in range(5):
        before = log.stat().st_size
        ask()
        time.sleep(0.1)
        lines = log.read_bytes()[before:].decode(errors="replace").splitlines()
        marks.append(sum(1 for line in lines if "LOG:" in line and ("plugin_" in line or "FROM namespaces" in line)))
    connection.execute("ALTER SYSTEM RESET log_statement")
    connection.execute("SELECT pg_reload_conf()")
    return min(marks)  # the worker may have asked something in between


def measure(ask: Any) -> list[float]:
    """Return the milliseconds of each request, answered whole."""
    for _ in range(WARM_UP):
        ask()
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def run(url: str, data_dir: Path) -> bool:
    with Mixpeek(api_key=KEY, base_url=url) as admin:
        many_versions = admin.namespaces.create(namespace_name="versions").namespace_id
        many_plugins = admin.namespaces.create(namespace_name="plugins").namespace_id
    with Mixpeek(api_key=KEY, base_url=url, namespace=many_versions) as client:
        edited = Path(shutil.copytree(PLUGIN, data_dir.with_name("edited") / NAME))
        (edited / "notes.md").write_text("A file more.\n")
        (edited / "realtime.py").write_text((edited / "realtime.py").read_text() + "\n# A line more.\n")
        for folder in (PLUGIN, edited):
            client.plugins.upload(folder, version=None)
    database = EmbeddedPostgres(data_dir)
    headers = {"Authorization": f"Bearer {KEY}"}
    with (
        httpx.Client(base_url=f"{url}/v1/namespaces", headers=headers, timeout=60) as http,
        psycopg.connect(database.url, autocommit=True) as connection,
    ):
        paths = {
            "list, 1,000 versions": f"/{many_versions}/plugins",
            "list, 1,000 plugins": f"/{many_plugins}/plugins",
            "versions": f"/{many_versions}/plugins/by-name/{NAME}/versions",
            "diff": f"/{many_versions}/plugins/by-name/{NAME}/diff?v1=1.0.0&v2=1.0.1",
        }
        counts: dict[str, list[int]] = {name: [] for name in paths}
        for count in (FEW, COUNT):
            copy_versions(connection, many_versions, count)
            copy_plugins(connection, many_versions, many_plugins, count)
            connection.execute("ANALYZE")
            for name, path in paths.items():
                counts[name].append(statements(connection, database.log, lambda: http.get(path).raise_for_status()))  # noqa: B023
        times: dict[str, list[list[float]]] = {name: [] for name in paths}
        for _ in range(ROUNDS):
            for name, path in paths.items():
                times[name].append(measure(lambda: http.get(path).raise_for_status()))  # noqa: B023
    return report(times, counts)


def report(times: dict[str, list[list[float]]], counts: dict[str, list[int]]) -> bool:
    print(f"{'':24}{'p50, ms':>10}{'p99, ms':>10}{'limit':>8}{'of limit':>10}   statements at {FEW} and {COUNT}")
    for name, rounds in times.items():
        p50 = statistics.median(statistics.median(values) for values in rounds)
        p99 = statistics.median(statistics.quantiles(values, n=100)[98] for values in rounds)
        few, many = counts[name]
        measured = f"{p50:10.1f}{p99:10.1f}{LIMIT_MS:8.0f}{p99 / LIMIT_MS:10.0%}"
        print(f"{name:24}{measured}   {few}, {many}")
    return all(few == many for few, many in counts.values())


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        port, data_dir = free_port(), Path(folder) / "data"
        process, _ = start(data_dir, port)
        try:
            constant = run(f"http://127.0.0.1:{port}", data_dir)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    if not constant:
        print("the number of statements grows with the number of versions")
    return 0 if constant else 1


if __name__ == "__main__":
    sys.exit(main())
