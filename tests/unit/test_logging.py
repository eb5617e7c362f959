"""The log's second belt: a text that is being handled is kept out of every line, as long as it is handled."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from mixpeek.logging import _Json, _Line, event, hide, hiding, request_id, without_hidden

VALUE = 'a "quoted"\nvalue é'


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of its own and what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Line("%(message)s"))
    logger = logging.getLogger("test of hiding")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("form", [VALUE, repr(VALUE), json.dumps(VALUE), f"[{json.dumps(VALUE, ensure_ascii=False)}]"])
def test_a_hidden_text_is_replaced_however_it_is_quoted(log: tuple[logging.Logger, io.StringIO], form: str) -> None:
    logger, stream = log

    with hiding():
        hide(VALUE)
        logger.error("saw %s here", form)

    assert "quoted" not in stream.getvalue()
    assert "***" in stream.getvalue()
    assert stream.getvalue().endswith("here\n")


def test_a_traceback_does_not_tell_it(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log

    with hiding():
        hide("hunter2-hunter2")
        try:
            int("hunter2-hunter2")
        except ValueError:
            logger.exception("unhandled error")

    assert "hunter2" not in stream.getvalue()
    assert "invalid literal for int() with base 10: '***'" in stream.getvalue()


def test_the_longer_of_two_texts_goes_first() -> None:
    with hiding():
        hide("secret")
        hide("secretive")

        assert without_hidden("secretive secret") == "*** ***"


def test_a_short_text_is_left_and_nothing_is_kept_afterwards() -> None:
    with hiding():
        hide("short")
        assert without_hidden("short") == "short"
        hide("longer")
    assert without_hidden("longer") == "longer"
    hide("longer")
    assert without_hidden("longer") == "longer"


def test_work_in_a_thread_of_the_request_hides_for_the_request() -> None:
    async def request() -> str:
        with hiding():
            await asyncio.to_thread(hide, "longer")
            return without_hidden("longer")

    assert asyncio.run(request()) == "***"


def test_a_line_of_json_says_when_who_what_and_for_which_request(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.handlers[0].setFormatter(_Json("api"))
    token = request_id.set("req_1")

    with hiding():
        hide("hunter2-hunter2")
        try:
            int("hunter2-hunter2")
        except ValueError:
            logger.exception("two\nlines of %s", "hunter2-hunter2")
    request_id.reset(token)

    [line] = stream.getvalue().splitlines()
    said = json.loads(line)
    assert list(said) == ["time", "level", "process", "logger", "request_id", "message", "error"]
    assert (said["level"], said["process"], said["request_id"]) == ("error", "api", "req_1")
    assert said["message"] == "two\nlines of ***"
    assert said["error"].endswith("'***'")


def test_the_supervisor_says_the_same_in_either_form() -> None:
    assert event("supervisor", "serving", "text") == "mixpeek: serving"
    assert json.loads(event("supervisor", "serving", "json"))["message"] == "serving"
