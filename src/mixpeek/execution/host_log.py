"""The log of one host: hands what it prints, and how it ended, to where lines are kept."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets

from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.output import OutputLines, platform_line
from mixpeek.execution.port import LogLine, LogOrigin, LogSink, Reported

# How long it may take until a pause after too many lines is told.
_TELL_S = 1.0


class HostLog:
    """Used from the event loop only, and does no I/O of its own."""

    def __init__(self, sink: LogSink, origin: LogOrigin, veil: Veil | None = None) -> None:
        self._sink = sink
        self._origin = origin
        self._veil = veil or Veil()
        self._host_id = f"host_{secrets.token_hex(4)}"
        self._lines = OutputLines()
        self._telling: asyncio.TimerHandle | None = None
        self._is_ended = False

    def receive(self, data: bytes) -> None:
        """Take what the host printed."""
        self._write(self._lines.feed(data))
        if self._lines.dropped and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TELL_S, self._tell)

    @property
    def reported(self) -> Reported | None:
        """How far the step that runs says it is; may be asked from any thread."""
        return self._lines.reported

    def end(self, fault: str | None = None) -> None:
        """Note that the host has ended, and why if that was not meant to be; only the first call counts."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._telling is not None:
            self._telling.cancel()
        lines = self._lines.end()
        if fault is not None:
            lines.append(platform_line("error", fault))
        self._write(lines)

    def _tell(self) -> None:
        self._telling = None
        self._write(self._lines.tell_dropped())

    def _write(self, lines: list[LogLine]) -> None:
        if self._veil.hides:
            lines = [self._covered(line) for line in lines]
        if lines:
            self._sink.write(self._origin, self._host_id, lines)

    def _covered(self, line: LogLine) -> LogLine:
        exception = None if line.exception is None else self._veil.cover(line.exception)
        return dataclasses.replace(line, message=self._veil.cover(line.message), exception=exception)
