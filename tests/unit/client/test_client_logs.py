"""Reading and following a plugin's log with the SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from factories.local_server import Answer, LocalServer, refusal
from mixpeek import Mixpeek
from mixpeek.client.errors import ApiError, ServerUnreachable
from mixpeek.client.events import Event, events_from, lines_in
from mixpeek.errors import InvalidRequest

ROUTE = "GET /v1/namespaces/ns_1/plugins/words_1_0_0/logs"

GONE = '{"type": "NotFoundError", "code": "request.not_found", "message": "gone", "hint": null}'


def stream(text: str) -> Answer:
    return Answer(text.encode(), headers={"Content-Type": "text/event-stream"})


def event(number: int) -> str:
    return f'id: {number}\ndata: {{"id": {number}, "message": "m"}}\n\n'


def test_events_are_read_from_lines_with_comments_between() -> None:
    lines = [": hello", "", "id: 7", "data: {}", "", "event: end", "data:1", "", "id: 9"]

    assert list(events_from(lines)) == [None, Event("7", "message", "{}"), Event("", "end", "1")]


def test_only_a_line_feed_ends_a_line_wherever_the_stream_was_cut() -> None:
    text = "id: 7\ndata: a\u2028event: end\u2028b\u0085c\x1cd\r\x0be\n\nnever ended"

    assert list(lines_in([text])) == text.split("\n")[:-1]
    assert list(lines_in(text)) == text.split("\n")[:-1]
    assert list(lines_in([])) == []


@pytest.mark.parametrize(
    "printed",
    [
        "plain \u2028 text \u2029 and \u0085",
        "x\u2028event: end\u2028data: {}\u2028z: ",
        "x\u2028id: 9223372036854775807\u2028data: {}\u2028\u2028z: ",
    ],
)
def test_what_a_plugin_prints_is_never_taken_for_a_part_of_the_stream(
    server: LocalServer, client: Mixpeek, printed: str
) -> None:
    line = json.dumps({"id": 3, "message": printed}, ensure_ascii=False)
    server.on(ROUTE, stream(f"id: 3\ndata: {line}\n\n" + event(4)), stream(event(5)))

    following = client.plugins.follow_logs("words_1_0_0")
    seen = [next(following) for _ in range(3)]

    assert [each.id for each in seen] == [3, 4, 5]
    assert seen[0].message == printed
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "4"]


def test_an_event_that_is_no_object_is_an_error_of_the_api(server: LocalServer, client: Mixpeek) -> None:
    server.on(ROUTE, stream("id: 1\ndata: <html>\n\n"))

    with pytest.raises(ApiError, match="<html>") as refused:
        next(client.plugins.follow_logs("words_1_0_0"))

    assert refused.value.type == "UnusableAnswer"


def test_a_page_is_asked_for_with_what_was_given_and_nothing_else(server: LocalServer, client: Mixpeek) -> None:
    server.on(ROUTE, Answer({"results": [], "pagination": {"next_cursor": None}}))

    client.plugins.logs("words_1_0_0", level="error", since=datetime(2026, 1, 31, tzinfo=UTC), limit=5)
    with pytest.raises(InvalidRequest, match="no time zone"):
        client.plugins.logs("words_1_0_0", since=datetime(2026, 1, 31))

    assert [asked.query for asked in server.asked] == [
        {"level": "error", "since": "2026-01-31T00:00:00+00:00", "limit": "5"}
    ]


def test_who_follows_goes_on_behind_the_last_line_when_the_connection_ends(
    server: LocalServer, client: Mixpeek
) -> None:
    server.on(
        ROUTE,
        stream(": following\n\n" + event(3) + event(4) + "id: 5\ndata: {"),
        refusal(503, "InferenceServiceUnavailableError", "starting"),
        stream(
            event(5) + 'event: end\ndata: {"type": "NotFoundError", "code": "c", "message": "gone", "hint": "h"}\n\n'
        ),
    )

    following = client.plugins.follow_logs("words_1_0_0", limit=2)
    seen = [next(following).id for _ in range(3)]
    with pytest.raises(ApiError, match="gone") as end:
        next(following)

    assert seen == [3, 4, 5]
    assert end.value.status == 404
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "4", "4"]
    assert server.asked[0].query == {"limit": "2", "follow": "true"}


def test_who_follows_is_told_of_a_refusal_and_of_a_server_that_was_never_there(
    server: LocalServer, client: Mixpeek
) -> None:
    server.on(ROUTE, refusal(404, "NotFoundError", "No plugin"))

    with pytest.raises(ApiError, match="No plugin"):
        next(client.plugins.follow_logs("words_1_0_0"))
    with Mixpeek(base_url="http://127.0.0.1:9", namespace="ns_1") as nowhere, pytest.raises(ServerUnreachable):
        next(nowhere.plugins.follow_logs("words_1_0_0"))
