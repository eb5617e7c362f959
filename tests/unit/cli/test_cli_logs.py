"""`mixpeek plugin logs`: what it asks for and how lines are shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer

ROUTE = "GET /v1/namespaces/ns_1/plugins/words_1_0_0/logs"


def line(number: int, message: str, **fields: Any) -> dict[str, Any]:
    common = {"at": "2026-01-31T12:00:00.123456Z", "level": "info", "source": "realtime", "stream": "output"}
    return {"id": number, "message": message, "logger": None, "exception": None, **common, **fields}


def page(lines: list[dict[str, Any]], cursor: str | None = None) -> Answer:
    return Answer({"results": lines, "pagination": {"next_cursor": cursor}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    with LocalServer() as running:
        monkeypatch.setenv("MIXPEEK_BASE_URL", running.url)
        monkeypatch.setenv("MIXPEEK_NAMESPACE", "ns_1")
        yield running


def test_lines_are_shown_oldest_first_escaped_and_with_their_tracebacks(server: LocalServer, mix: Any) -> None:
    logged = line(2, "no\nluck", level="error", stream="logging", logger="words", exception="Traceback\n  x = \x1b[2J")
    ended = line(3, "The host was killed", level="error", stream="platform", source="gate")
    server.on(ROUTE, page([logged, ended], "older"), page([line(1, "made\x07")]))

    ran = mix("plugin", "logs", "words_1_0_0")

    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "2026-01-31 12:00:00.123 realtime info     made\\x07",
        "2026-01-31 12:00:00.123 realtime error    words: no",
        "    luck",
        "    Traceback",
        "      x = \\x1b[2J",
        "2026-01-31 12:00:00.123 gate     error    mixpeek: The host was killed",
    ]


def test_options_become_the_query(server: LocalServer, mix: Any) -> None:
    server.on(ROUTE, page([]))

    ran = mix(
        "plugin", "logs", "words_1_0_0", "--level", "warning", "--source", "gate", "--deployment", "dep_1",
        "--since", "10m", "-n", "5", "--json",
    )  # fmt: skip

    assert ran.json == {"success": True, "plugin_id": "words_1_0_0", "lines": []}
    query = server.asked[0].query
    ago = datetime.now(UTC) - datetime.fromisoformat(query.pop("since"))
    assert timedelta(minutes=10) <= ago < timedelta(minutes=11)
    assert query == {"level": "warning", "source": "gate", "deployment_id": "dep_1", "limit": "5"}


@pytest.mark.parametrize("since", ["yesterday", "10", "-5m", "2026-13-01"])
def test_a_time_that_is_none_is_refused_before_anything_is_asked(since: str, server: LocalServer, mix: Any) -> None:
    ran = mix("plugin", "logs", "words_1_0_0", f"--since={since}")

    assert ran.code == 2
    assert "is no time" in ran.err and "10m" in ran.err
    assert server.asked == []
