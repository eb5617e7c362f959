# Made from mixpeek/client/aio/plugin_logs.py by `make client`; change that one.
"""Following a plugin's log: line by line, over broken connections and restarts of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from mixpeek.client.errors import ApiError, ServerUnreachable
from mixpeek.client.events import Event
from mixpeek.client.response import Response, response_from
from mixpeek.client.sync.transport import Transport
from mixpeek.client.sync.world import sleep

# The server says at least every 15 s that it is there.
_SILENCE_S = 45.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0

# What an event `end` may tell, as the status its error has in an answer.
_STATUSES = {
    "NotFoundError": 404, "UnauthorizedError": 401, "ForbiddenError": 403, "InferenceServiceUnavailableError": 503,
}  # fmt: skip


def follow_lines(transport: Transport, path: str, query: Mapping[str, Any], *, patience_s: float) -> Iterator[Response]:
    """Yield the lines of a log as they come, without end and without a gap.

    Args:
        query: which lines; `limit` is how many of the latest come first.
        patience_s: how long a server that was reached once may be away.
    Raises: ApiError: the server refuses, or no longer lets this key read. ServerUnreachable.
    """
    last, reached_at = "", 0.0
    pause_s = _FIRST_PAUSE_S
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with transport.stream(path, query={**query, "follow": True}, headers=headers, silence_s=_SILENCE_S) as sent:
                for event in sent:
                    reached_at, pause_s = time.monotonic(), _FIRST_PAUSE_S
                    if event is not None:
                        yield _line_from(event)
                        last = event.id
        except ServerUnreachable:
            if not reached_at or time.monotonic() - reached_at > patience_s:
                raise
        except ApiError as error:
            # While it starts, or while too many follow, a server says so with 503.
            if error.status != 503 or not reached_at or time.monotonic() - reached_at > patience_s:
                raise
        sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _line_from(event: Event) -> Response:
    try:
        body = response_from(event.data)
    except ValueError as error:
        raise ApiError(
            f"The server sent an event of the log that is no JSON object: {event.data[:100]!r}",
            status=200,
            type="UnusableAnswer",
            hint="Check that `--base-url` names a Mixpeek server, and what stands between it and this machine",
        ) from error
    if event.kind == "end":
        raise ApiError(
            str(body.get("message")),
            status=_STATUSES.get(str(body.get("type")), 500),
            type=str(body.get("type")),
            code=str(body.get("code")),
            hint=body.get("hint"),
        )
    return body
