"""A host's process on another machine, as its keeper tells of it: what it prints, what it uses, how it ends.

A keeper that falls silent is taken for lost, with its machine.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from mixpeek.errors import PluginError, PluginFlooded
from mixpeek.execution.printed import Printed
from mixpeek.execution.remote.steering import number, reader, said
from mixpeek.execution.watchdog import Usage
from mixpeek.host.frames import FrameInvalid

# A keeper speaks four times a second. Looked at twice in this time, so that a stall on our side is not its silence.
SILENT_S = 10.0


class Hearer(Protocol):
    """The host, as its process sees it."""

    def note_usage(self, usage: Usage) -> None:
        """Hear what the process uses, four times a second."""

    def note_end(self) -> None:
        """Hear that the process has exited, or is lost."""

    def end_for(self, reason: PluginError) -> None:
        """End the host for this reason."""


class RemoteProcess(asyncio.Protocol):
    """The socket that steers a keeper."""

    def __init__(self, hearer: Hearer, printed: Printed) -> None:
        self._hearer = hearer
        self._printed = printed
        self._reader = reader()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._gates: list[asyncio.Future[None]] = []
        self._has_spoken = True
        self._silences = 0
        self._listening: asyncio.TimerHandle | None = None
        self.ended = asyncio.Event()
        self.exit_status: int | None = None
        self.lost: str | None = None
        self.kept_waiting_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen for the keeper's silence."""
        self._transport = cast("asyncio.Transport", transport)
        self._listening = self._loop.call_later(SILENT_S / 2, self._listen)

    def data_received(self, data: bytes) -> None:
        """Take what the keeper says."""
        self._has_spoken = True
        try:
            for fields, body in self._reader.feed(data):
                self._hear(fields, body)
        except FrameInvalid as error:
            self._lose(f"its keeper cannot be understood: {error}")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Take the host for lost, unless it has ended."""
        self._transport = None
        self._lose("the connection to it broke")

    def watch(self) -> None:
        """Have its usage told from here on."""
        self._say(said("watch"))

    def kill(self) -> None:
        """Have the process killed."""
        self._say(said("kill"))

    def close(self) -> None:
        """Let go of the keeper, which ends what is left of the host."""
        if self._listening is not None:
            self._listening.cancel()
        if self._transport is not None:
            self._transport.close()

    def tail(self) -> str:
        """Return the last of what it printed."""
        return self._printed.tail()

    def set_gate(self, *, is_open: bool) -> asyncio.Future[None]:
        """Have the host's proxy let it out, or not; the future is done once that is so, or nobody is left to do it."""
        moved: asyncio.Future[None] = self._loop.create_future()
        if self._transport is None:
            moved.set_result(None)
        else:
            self._gates.append(moved)
            self._say(said("gate", is_open=is_open))
        return moved

    def _hear(self, fields: dict[str, Any], body: bytes) -> None:
        match fields.get("what"):
            case "alive":
                pass
            case "printed":
                self._printed.receive(body)
            case "usage":
                self.kept_waiting_s = number(fields, "kept_waiting_s")
                held, threads = int(number(fields, "memory_bytes")), int(number(fields, "threads"))
                self._hearer.note_usage(Usage(held, number(fields, "cpu_s"), threads))
            case "flooded":
                self._hearer.end_for(PluginFlooded(str(fields.get("message"))[:1000]))
            case "exited":
                status = fields.get("status")
                self.exit_status = status if type(status) is int else None
                self._end()
            case "gate" if self._gates:
                self._gates.pop(0).set_result(None)
            case other:
                raise FrameInvalid(f"{other!r} is no news of a host")

    def _listen(self) -> None:
        self._silences = 0 if self._has_spoken else self._silences + 1
        self._has_spoken = False
        if self._silences >= 2:
            self._lose(f"nothing was heard of it for {SILENT_S:g} s")
        else:
            self._listening = self._loop.call_later(SILENT_S / 2, self._listen)

    def _lose(self, why: str) -> None:
        if not self.ended.is_set():
            self.lost = why
            self._end()

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        if self._listening is not None:
            self._listening.cancel()
        gates, self._gates = self._gates, []
        for gate in gates:
            if not gate.done():
                gate.set_result(None)
        self._hearer.note_end()

    def _say(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)
