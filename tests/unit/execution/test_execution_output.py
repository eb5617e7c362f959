"""How what a host prints becomes lines: whatever it is, bounded, and nothing left out in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.execution.output import MAX_LINE_BYTES, MAX_TEXT, OutputLines, readable
from mixpeek.execution.port import LogLine
from mixpeek.host.allowance import BYTES, LINES, LINES_PER_S, Allowance
from mixpeek.host.records import LEVELS, MAX_RECORD_BYTES, SEPARATOR


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(*pieces: bytes) -> list[LogLine]:
    lines = OutputLines()
    return [line for piece in pieces for line in lines.feed(piece)] + lines.end()


def record(**fields: Any) -> bytes:
    return SEPARATOR + json.dumps({"level": "warning", "logger": "words", "message": "m", **fields}).encode() + b"\n"


def test_lines_end_at_line_feeds_and_carriage_returns_wherever_the_pieces_were_cut() -> None:
    lines = lines_of(b"on", b"e\r", b"\ntwo\n\n10%\r20", b"%\rthe end")

    assert [line.message for line in lines] == ["one", "two", "10%", "20%", "the end"]
    assert {(line.stream, line.level, line.logger) for line in lines} == {("output", "info", None)}


def test_a_record_is_told_from_text_also_behind_a_line_that_was_not_ended() -> None:
    lines = lines_of(b"half a line" + record(message="two\nlines", exception="Traceback"), b"text\n")

    assert [(line.stream, line.message) for line in lines] == [
        ("output", "half a line"), ("logging", "two\nlines"), ("output", "text"),
    ]  # fmt: skip
    assert (lines[1].level, lines[1].logger, lines[1].exception) == ("warning", "words", "Traceback")


@pytest.mark.parametrize(
    "broken",
    [
        record(level="loud"),
        record(level=["warning"]),
        record(message=7),
        record(logger=None),
        record(logger="x" * 201),
        record(exception=["Traceback"]),
        record(more="keys"),
        SEPARATOR + b"[1]\n",
        SEPARATOR + b"[" * 50_000 + b"\n",
        SEPARATOR + b"9" * 5_000 + b"\n",
        SEPARATOR + b'{"level": "info"\n',
        SEPARATOR + b"\n",
        record(message="x" * MAX_RECORD_BYTES),
    ],
)
def test_what_is_not_exactly_a_record_is_plain_text(broken: bytes) -> None:
    lines = lines_of(broken)

    assert [line.stream for line in lines] == ["output"]
    assert lines[0].message.startswith("\x1e")


def place(chunk: object, step: object, **more: object) -> bytes:
    return SEPARATOR + json.dumps({"chunk": chunk, "step": step, **more}).encode() + b"\n"


def test_lines_belong_to_the_chunk_and_the_step_that_were_told_last() -> None:
    told = place(3, "steps[0] A"), record(), place(4, None), place(None, None)
    output = b"before\nhalf" + told[0] + b"in\n" + told[1] + told[2] + b"next\n" + told[3] + b"after"

    lines = lines_of(output)

    assert [(line.message, line.chunk, line.step) for line in lines] == [
        ("before", None, None), ("half", None, None), ("in", 3, "steps[0] A"), ("m", 3, "steps[0] A"),
        ("next", 4, None), ("after", None, None),
    ]  # fmt: skip
    assert readable(output) == "before\nhalf\nin\nWARNING words: m\nnext\nafter"


@pytest.mark.parametrize(
    "broken",
    [place(-1, None), place(True, None), place(1, 2), place("1", None), place(1, None, more=1), place(2**31, None)],
)
def test_what_is_not_exactly_a_place_is_plain_text(broken: bytes) -> None:
    [line, after] = lines_of(broken + b"after\n")

    assert (line.stream, line.message) == ("output", broken.decode().rstrip("\n"))
    assert (after.chunk, after.step) == (None, None)


def done(number: object, **more: object) -> bytes:
    return SEPARATOR + json.dumps({"done": number, **more}).encode() + b"\n"


def test_what_a_step_says_it_has_done_never_falls_and_ends_with_the_step() -> None:
    lines = OutputLines()
    seen = []
    for data in (done(1), place(3, "A"), done(5), done(2), done(7.5), place(3, "B"), done(1), place(4, None)):
        assert lines.feed(data) == []
        seen.append(lines.reported and (lines.reported.chunk, lines.reported.step, lines.reported.done))

    assert seen == [
        None, None, (3, "A", 5), (3, "A", 5), (3, "A", 7.5), None, (3, "B", 1), None,
    ]  # fmt: skip
    assert readable(done(5) + b"said\n") == "said\n"


@pytest.mark.parametrize(
    "broken",
    [done(-1), done(True), done("5"), done(None), done(2**53), done(float("nan")), done(1, more=1), done("x" * 99)],
)
def test_what_is_not_exactly_a_count_is_plain_text(broken: bytes) -> None:
    lines = OutputLines()
    lines.feed(place(1, None))

    [line] = lines.feed(broken)

    assert (line.stream, lines.reported) == ("output", None)


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    lines = lines_of(*[b"x" * 50_000] * 40, b"\nshort\n")

    assert lines[0].message == "x" * MAX_LINE_BYTES + f"… ({2_000_000 - MAX_LINE_BYTES:,} more bytes were cut)"
    assert lines[1].message == "short"


def test_a_record_that_a_plugin_wrote_itself_is_cut_like_one_of_the_host() -> None:
    [line] = lines_of(record(message="m" * 30_000, exception="e" * 20_000 + "KeyError"))
    [told] = lines_of(record(message="m" * MAX_TEXT + "… (22,000 more characters were cut)"))

    assert line.message == "m" * MAX_TEXT + "… (22,000 more characters were cut)" == told.message
    assert line.exception == "(12,008 characters were cut)…" + "e" * (MAX_TEXT - 8) + "KeyError"


def test_more_lines_than_are_allowed_are_counted_and_told_in_their_place() -> None:
    clock = Clock()
    lines = OutputLines(Allowance(clock))

    flood = lines.feed(b"".join(b"line %d\n" % number for number in range(5_000)))
    clock.now = 2.0
    later = lines.feed(b"after\n")

    assert len(flood) == LINES
    assert later[0].message == f"{5_000 - LINES:,.0f} lines were dropped: the host printed more than 100 lines a second"
    assert (later[0].stream, later[0].level, later[1].message) == ("platform", "warning", "after")
    clock.now = 3.0
    assert len(lines.feed(b"x\n" * 1_000)) == LINES_PER_S * 3 - 1
    assert lines.dropped == 1_000 - (LINES_PER_S * 3 - 1)
    assert [line.stream for line in lines.end()] == ["platform"]
    assert lines.end() == []


def test_few_lines_that_are_too_large_are_dropped_as_well() -> None:
    lines = OutputLines(Allowance(Clock()))
    line = b"x" * 60_000 + b"\n"

    kept = [found for _ in range(200) for found in lines.feed(line)]

    assert len(kept) == -(-BYTES // 60_000)
    assert lines.dropped == 200 - len(kept)


@given(st.lists(st.binary(max_size=300) | st.sampled_from([SEPARATOR, b"\n", b"\r", b"\x00", b"\xff", record()])))
def test_whatever_is_printed_can_be_stored_and_is_the_same_however_it_was_cut(pieces: list[bytes]) -> None:
    whole, cut = lines_of(b"".join(pieces)), lines_of(*pieces)

    assert [(line.stream, line.message) for line in whole] == [(line.stream, line.message) for line in cut]
    for line in whole:
        assert line.level in LEVELS
        for text in (line.message, line.logger or "", line.exception or ""):
            assert "\x00" not in text
            assert text.encode().decode() == text


def test_what_cannot_be_stored_of_a_record_is_written_as_an_escape() -> None:
    [line] = lines_of(record(message="nul \x00 and half \ud83d", logger="a\x00"))

    assert (line.message, line.logger) == ("nul \\x00 and half \\ud83d", "a\\x00")


def test_the_tail_reads_as_text() -> None:
    output = b"printed\nunended" + record(message="no luck", exception="Traceback\nKeyError: 1") + b"\x1e{no record}\n"

    text = "printed\nunended\nWARNING words: no luck\nTraceback\nKeyError: 1\n\x1e{no record}\n"
    assert readable(output) == text
