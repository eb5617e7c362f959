"""What a host prints, as lines: bounded in length and in rate, its log records told from plain text.

Whatever a host prints is untrusted: a line that is not exactly a record is plain text.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mixpeek.execution.port import LogLine, Reported
from mixpeek.host.allowance import LINES_PER_S, Allowance
from mixpeek.host.records import LEVELS, MAX_RECORD_BYTES, SEPARATOR

MAX_LINE_BYTES = 16 * 1024
# A host cuts what it logs before that, and says by how much; a plugin may write records of its own.
MAX_TEXT = 8_000
_SAID_OF_THE_REST = 100
_MAX_NAME = 200
_KEYS = {"level", "logger", "message", "exception"}
_PLACE, _MOST_PLACE_BYTES = SEPARATOR + b'{"chunk"', 2_000
_DONE, _MOST_DONE_BYTES = SEPARATOR + b'{"done"', 50


class OutputLines:
    """Cuts what arrives into lines; never holds more than one line, and counts those it leaves out."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()
        self._pending = bytearray()
        self._length = 0
        self._chunk: int | None = None
        self._step: str | None = None
        self.reported: Reported | None = None
        self.dropped = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """Return the lines that are complete now; one ends at a line feed, a carriage return or before a record."""
        data = data.replace(SEPARATOR, b"\n" + SEPARATOR).replace(b"\r", b"\n")
        lines: list[LogLine] = []
        self._allowance.refill()
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if not self._allowance.is_left:
                end = data.rfind(b"\n")
                # Splitting a flood into lines would cost the loop more than an exact count of empty ones is worth.
                self.dropped += max(1, data.count(b"\n", start, end + 1) - data.count(b"\n\n", start, end + 1))
                self._forget()
            else:
                self._keep(data[start:end])
                self._take(lines)
            start = end + 1
        self._keep(data[start:])
        return lines

    def end(self) -> list[LogLine]:
        """Return the line that was never ended, and how many were left out."""
        lines: list[LogLine] = []
        self._take(lines)
        return lines + self.tell_dropped()

    def tell_dropped(self) -> list[LogLine]:
        """Return a line that says how many were left out since the last one, if any were."""
        if not self.dropped:
            return []
        count, self.dropped = self.dropped, 0
        told = f"{count:,} lines were dropped: the host printed more than {LINES_PER_S:.0f} lines a second"
        return [platform_line("warning", told)]

    def _keep(self, piece: bytes) -> None:
        self._length += len(piece)
        self._pending += piece[: MAX_RECORD_BYTES - len(self._pending)]

    def _take(self, lines: list[LogLine]) -> None:
        raw, length = bytes(self._pending), self._length
        self._forget()
        if not raw:
            return
        if self.dropped:
            lines += self.tell_dropped()
        self._allowance.spend(len(raw))
        place = _place_from(raw)
        if place is not None:
            if place != (self._chunk, self._step):
                self.reported = None
            self._chunk, self._step = place
            return
        done = _done_from(raw)
        if done is not None:
            if self._chunk is not None:
                before = self.reported.done if self.reported else 0.0
                self.reported = Reported(self._chunk, self._step, max(before, done))
            return
        line = line_from(raw, length)
        is_placed = self._chunk is not None or self._step is not None
        lines.append(replace(line, chunk=self._chunk, step=self._step) if is_placed else line)

    def _forget(self) -> None:
        self._pending.clear()
        self._length = 0


def line_from(raw: bytes, length: int) -> LogLine:
    """Return one line as it is kept: a record's fields, else its text; `length` is how long it was before it was cut.

    The text can be stored: no NUL, no half characters.
    """
    now = datetime.now(UTC)
    record = _record_from(raw) if length == len(raw) else None
    if record is not None:
        exception = record.get("exception")
        return LogLine(
            at=now,
            stream="logging",
            level=record["level"],
            logger=storable(record["logger"]),
            message=_head(storable(record["message"])),
            exception=None if exception is None else _tail(storable(exception)),
        )
    text = storable(raw[:MAX_LINE_BYTES].decode(errors="replace"))
    cut = length - MAX_LINE_BYTES
    return LogLine(
        at=now,
        stream="output",
        level="info",
        message=text if cut <= 0 else f"{text}… ({cut:,} more bytes were cut)",
    )


def platform_line(level: str, message: str) -> LogLine:
    """Return a line that the platform itself says about a host."""
    return LogLine(at=datetime.now(UTC), stream="platform", level=level, message=storable(message))


def readable(output: bytes) -> str:
    """Return output as text, each record in it as `LEVEL logger: message` with its traceback below."""
    if SEPARATOR not in output:
        return output.decode(errors="replace")
    lines = []
    for line in output.split(b"\n"):
        before, separator, raw = line.partition(SEPARATOR)
        if _place_from(separator + raw) is None and _done_from(separator + raw) is None:
            lines.append(_readable(line))
        elif before:
            lines.append(before)
    return b"\n".join(lines).decode(errors="replace")


def storable(text: str) -> str:
    """Return text that UTF-8 and PostgreSQL can hold, what they cannot written as an escape."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()


def _head(text: str) -> str:
    cut = len(text) - MAX_TEXT
    return text if cut <= _SAID_OF_THE_REST else f"{text[:MAX_TEXT]}… ({cut:,} more characters were cut)"


def _tail(text: str) -> str:
    cut = len(text) - MAX_TEXT
    return text if cut <= _SAID_OF_THE_REST else f"({cut:,} characters were cut)…{text[-MAX_TEXT:]}"


def _readable(line: bytes) -> bytes:
    before, separator, raw = line.partition(SEPARATOR)
    record = _record_from(separator + raw)
    if record is None:
        return line
    text = f"{record['level'].upper()} {record['logger']}: {record['message']}"
    if record.get("exception"):
        text += f"\n{record['exception']}"
    return before + (b"\n" if before else b"") + text.encode(errors="backslashreplace")


def _place_from(raw: bytes) -> tuple[int | None, str | None] | None:
    """Return the chunk and the step that a line says the lines after it belong to; None for any other line."""
    if not raw.startswith(_PLACE) or len(raw) > _MOST_PLACE_BYTES:
        return None
    try:
        value = json.loads(raw[1:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.keys() != {"chunk", "step"}:
        return None
    chunk, step = value["chunk"], value["step"]
    is_number = chunk is None or (type(chunk) is int and 0 <= chunk < 2**31)
    return (chunk, None if step is None else storable(step)) if is_number and isinstance(step, str | None) else None


def _done_from(raw: bytes) -> float | None:
    """Return how many items a line says are done; None for any other line."""
    if not raw.startswith(_DONE) or len(raw) > _MOST_DONE_BYTES:
        return None
    try:
        value = json.loads(raw[1:])
    except ValueError:
        return None
    done = value.get("done") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(done, int | float) or isinstance(done, bool):
        return None
    return float(done) if 0 <= done < 2**53 else None


def _record_from(raw: bytes) -> dict[str, Any] | None:
    """Return the fields of a record, None for a line that is none."""
    if not raw.startswith(SEPARATOR):
        return None
    try:
        value = json.loads(raw[1:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value.keys() <= _KEYS or value.get("level") not in LEVELS:
        return None
    logger, message, exception = value.get("logger"), value.get("message"), value.get("exception")
    is_said = isinstance(logger, str) and len(logger) <= _MAX_NAME and isinstance(message, str)
    return value if is_said and isinstance(exception, str | None) else None
