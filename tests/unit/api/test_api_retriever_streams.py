"""The stream of an execution ends with an event, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mixpeek.api.routes.retriever_executions import until_the_end


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("nobody foresaw it"), "platform.failed"),
        (psycopg.OperationalError("gone"), "platform.unavailable"),
    ],
)
def test_an_error_that_nobody_foresaw_is_the_last_event(error: Exception, code: str) -> None:
    def events() -> Iterator[dict[str, Any]]:
        yield {"event_type": "stage_start"}
        raise error

    told = list(until_the_end(events()))

    assert [event["event_type"] for event in told] == ["stage_start", "execution_error"]
    assert told[-1]["error"]["code"] == code
    assert str(error) not in str(told[-1])
