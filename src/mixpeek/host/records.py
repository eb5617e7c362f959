"""Python's `logging` in a host: every record becomes one line of JSON behind a record separator (RFC 7464).

Whoever reads the host's output finds records among what is printed, in the order both were written.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from mixpeek.host.allowance import Allowance
from mixpeek.host.failures import Failure

SEPARATOR = b"\x1e"
LEVELS = ("debug", "info", "warning", "error", "critical")
# The longest line a reader takes for a record.
MAX_RECORD_BYTES = 64 * 1024

_MAX_MESSAGE, _MAX_EXCEPTION = 8_000, 8_000
_MAX_NAME = 200
_STDERR = 2
_DONE_EVERY_S = 0.25

_OWN_FOLDER = str(Path(__file__).parent)
_NAME = "mixpeek.host"


def install() -> RecordHandler:
    """Send records of level INFO or more, and warnings, to standard error; before any plugin code is imported."""
    handler = RecordHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    return handler


class Place:
    """Tells the reader of this host's output which chunk and which step all that follows belongs to.

    And how many items of it processors say they have done, a few times a second at most.
    """

    def __init__(self, fd: int = _STDERR, clock: Callable[[], float] = time.monotonic) -> None:
        self._fd = fd
        self._clock = clock
        self._chunk: int | None = None
        self._told: tuple[int | None, str | None] = (None, None)
        self._done = 0.0
        self._done_told_at = -_DONE_EVERY_S

    def enter_chunk(self, chunk: int | None) -> None:
        """Begin with the rows of a chunk; None where they belong to none."""
        self._chunk = chunk
        self._tell(None)

    def enter_step(self, step: str | None) -> None:
        """Go on to a step of the pipeline, named as in errors."""
        if self._chunk is not None:
            self._tell(step)

    def _tell(self, step: str | None) -> None:
        if self._told != (self._chunk, step):
            self._told = (self._chunk, step)
            self._done = 0.0
            self._write({"chunk": self._chunk, "step": step and step[:_MAX_NAME]})

    def note_progress(self, number: float, *, is_total: bool) -> None:
        """Note that a processor did so many items of its step, or so many in all; may be called from any thread."""
        if self._chunk is None:
            return
        self._done = number if is_total else self._done + number
        now = self._clock()
        if now - self._done_told_at >= _DONE_EVERY_S:
            self._done_told_at = now
            self._write({"done": self._done})

    def _write(self, fields: dict[str, Any]) -> None:
        line = SEPARATOR + json.dumps(fields).encode() + b"\n"
        while line:
            line = line[os.write(self._fd, line) :]


place = Place()


class RecordHandler(logging.Handler):
    """Writes records as lines, within an allowance; what goes beyond it is counted and told."""

    def __init__(self, fd: int = _STDERR, allowance: Allowance | None = None) -> None:
        super().__init__()
        self._fd = fd
        self._allowance = allowance or Allowance()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._allowance.refill()
        if not self._allowance.is_left:
            self._dropped += 1
            return
        try:
            line = line_from(record)
        except Exception:  # arguments that do not fit their message, a `__str__` that raises
            line = _encoded("error", record.name, f"A log record cannot be shown: {record.msg!r:.500}", None)
        if self._dropped:
            told = f"{self._dropped:,} log records were dropped: more were made than are kept"
            line = _encoded("warning", _NAME, told, None) + line
            self._dropped = 0
        self._allowance.spend(len(line))
        while line:
            line = line[os.write(self._fd, line) :]

    def note_failure(self, verb: object, error: BaseException) -> None:
        """Write what a call raised, with its traceback, past whatever plugin code has made of `logging`.

        Not of `run`, whose rows each keep their own cause; nothing where memory is short.
        """
        if verb == "run" or isinstance(error, MemoryError):
            return
        is_told = isinstance(error, Failure)  # what a contract asks for and was not given
        traceback = None if is_told else (type(error), error, _without_own(error.__traceback__))
        message = f"{verb} failed: {error}" if is_told else f"{verb} failed"
        self.handle(logging.LogRecord(_NAME, logging.ERROR, "", 0, message, None, traceback))


def line_from(record: logging.LogRecord) -> bytes:
    """Return a record as one line."""
    level = LEVELS[min(max(record.levelno // 10, 1), len(LEVELS)) - 1]
    exception = None
    if record.exc_info and record.exc_info[0] is not None:
        exception = logging.Formatter().formatException(record.exc_info)
    return _encoded(level, record.name, record.getMessage().rstrip("\n"), exception)


def _encoded(level: str, logger: str, message: str, exception: str | None) -> bytes:
    fields = {
        "level": level,
        "logger": logger[:_MAX_NAME],
        "message": _head(message, _MAX_MESSAGE),
        "exception": None if exception is None else _tail(exception, _MAX_EXCEPTION),
    }
    line = SEPARATOR + json.dumps(fields).encode()
    if len(line) >= MAX_RECORD_BYTES:  # every character of it takes six bytes or twelve
        fields["message"] = _head(message, _MAX_MESSAGE // 4)
        fields["exception"] = None if exception is None else _tail(exception, _MAX_EXCEPTION // 4)
        line = SEPARATOR + json.dumps(fields).encode()
    return line + b"\n"


def _without_own(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame that is not the host program's."""
    inner = traceback
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        inner = inner.tb_next
    return inner or traceback


def _head(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters were cut)"


def _tail(text: str, most: int) -> str:
    # The end of a traceback says what happened.
    return text if len(text) <= most else f"({len(text) - most:,} characters were cut)…{text[-most:]}"
