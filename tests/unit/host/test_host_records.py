"""What `logging` writes in a host: one line a record, within an allowance."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mixpeek.host.allowance import LINES, Allowance
from mixpeek.host.failures import Failure
from mixpeek.host.records import MAX_RECORD_BYTES, SEPARATOR, Place, RecordHandler


class Logged:
    """A logger whose records go into a pipe, and what came out of it."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self.now = 0.0
        self.handler = RecordHandler(self._writing, Allowance(lambda: self.now))
        self.log = logging.Logger("words")
        self.log.addHandler(self.handler)

    def read(self) -> list[dict[str, Any]]:
        os.write(self._writing, b"end")
        data = b""
        while not data.endswith(b"end"):
            data += os.read(self._reading, 65536)
        lines = data.removesuffix(b"end").splitlines()
        assert all(line.startswith(SEPARATOR) and len(line) < MAX_RECORD_BYTES for line in lines)
        return [json.loads(line[1:]) for line in lines]

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


@pytest.fixture
def logged() -> Iterator[Logged]:
    made = Logged()
    yield made
    made.close()


def fail(text: str) -> None:
    raise ValueError(text)


def test_progress_is_told_of_chunks_alone_a_few_times_a_second_and_begins_anew_with_each_step() -> None:
    reading, writing = os.pipe()
    now = 0.0
    place = Place(writing, lambda: now)
    place.note_progress(9, is_total=False)
    place.enter_chunk(1)
    place.enter_step("A")
    for number, is_total in ((2, False), (3, False), (40, True)):
        place.note_progress(number, is_total=is_total)
        now += 0.2
    place.enter_step("B")
    now += 1
    place.note_progress(1, is_total=False)
    os.close(writing)

    with os.fdopen(reading, "rb") as output:
        lines = [json.loads(line.removeprefix(SEPARATOR)) for line in output]
    assert [line["done"] for line in lines if "done" in line] == [2, 40, 1]


class Unshowable:
    def __str__(self) -> str:
        raise ValueError("no")


def test_a_record_is_one_line_with_its_level_logger_message_and_traceback(logged: Logged) -> None:
    try:
        {}["missing"]
    except KeyError:
        logged.log.exception("no %s\nto be had\n", "luck")
    logged.log.log(33, "between warning and error")
    logged.log.log(5, "below debug")

    first, between, below = logged.read()

    assert (first["level"], first["logger"], first["message"]) == ("error", "words", "no luck\nto be had")
    assert first["exception"].startswith("Traceback") and first["exception"].endswith("KeyError: 'missing'")
    assert (between["level"], between["exception"], below["level"]) == ("warning", None, "debug")


@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.info("%d words", "no number"),
        lambda log: log.info("%s", Unshowable()),
    ],
)
def test_a_record_that_cannot_be_shown_is_told_in_its_place(
    say: Callable[[logging.Logger], None], logged: Logged
) -> None:
    say(logged.log)

    [line] = logged.read()

    assert line["level"] == "error" and line["message"].startswith("A log record cannot be shown")


def test_a_long_record_is_cut_at_its_end_and_its_traceback_at_the_beginning(logged: Logged) -> None:
    try:
        fail("\ud800" * 50_000 + "the end")
    except ValueError:
        logged.log.exception("\x01" * 50_000)

    [line] = logged.read()

    assert line["message"].endswith("more characters were cut)") and line["exception"].endswith("the end")


def test_more_records_than_are_allowed_are_counted_and_told(logged: Logged) -> None:
    for _ in range(int(LINES) + 50):
        logged.handler.emit(logging.LogRecord("words", logging.INFO, "", 0, "x", None, None))
        if logged.handler._dropped == 0:
            assert len(logged.read()) == 1  # the pipe holds only so much
    logged.now = 1.0
    logged.log.info("after")

    told, after = logged.read()

    assert told["message"] == "50 log records were dropped: more were made than are kept"
    assert after["message"] == "after"


def test_what_a_call_raised_is_told_without_our_own_frames_and_whatever_became_of_logging(logged: Logged) -> None:
    logging.disable(logging.CRITICAL)
    try:
        try:
            Failure("PluginRaised", "x").wire()["message"].index("y")
        except ValueError as error:
            logged.handler.note_failure("predict", error)
            logged.handler.note_failure("run", error)
        logged.handler.note_failure("describe", Failure("PluginReplyInvalid", "metadata is a set"))
        logged.handler.note_failure("predict", MemoryError())
    finally:
        logging.disable(logging.NOTSET)

    raised, refused = logged.read()

    assert raised["message"] == "predict failed" and "test_host_records.py" in raised["exception"]
    assert (refused["message"], refused["exception"]) == ("describe failed: metadata is a set", None)
