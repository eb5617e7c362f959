"""The platform's end of the socket on which one host asks.

A host may ask as often as it likes and read its answers as slowly as it likes: what is not begun is not read from the
socket, so it waits in the host, and what one host makes the platform hold is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, cast

from mixpeek.contract.asking import MOST_QUESTION_BYTES, Refused
from mixpeek.execution.asks import questions
from mixpeek.execution.asks.pace import Pace
from mixpeek.execution.asks.port import Broker
from mixpeek.execution.asks.veil import Veil
from mixpeek.host.frames import FrameInvalid, FrameReader, encode

log = logging.getLogger(__name__)

# Questions of one host that are carried out at the same time; each holds at most one piece of an asset.
AT_ONCE = 8
MOST_HEADER_BYTES = 16 * 1024
# How long any question may take, but for those to a language model, which has a limit of its own.
ANSWER_S = 30.0
# An unexpected fault of ours is told without its words: they may name what a plugin should not know.
_FAULT = Refused("unavailable", "the platform failed to answer; its log says why")


class AskChannel(asyncio.Protocol):
    """Answers one host, in the name of `namespace_id`; with no broker, every question is refused."""

    def __init__(self, broker: Broker | None, namespace_id: str | None, veil: Veil) -> None:
        self._broker = broker
        self._namespace_id = namespace_id
        self._veil = veil
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(max_header_bytes=MOST_HEADER_BYTES)
        self._reader.max_body_bytes = MOST_QUESTION_BYTES
        self._pace = Pace(self._loop.time())
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[dict[str, Any], bytes]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._pausing: asyncio.TimerHandle | None = None
        self._is_unread = False
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take questions, and begin those that may begin now."""
        try:
            self._waiting.extend(self._reader.feed(data))
        except FrameInvalid:
            # Not our own program in the host, then. It may work on, but it asks no more.
            self.close()
            return
        self._begin()

    def pause_writing(self) -> None:
        """Begin nothing more while answers are not read."""
        self._is_unread = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_unread = False
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Give up what nobody waits for any more."""
        self._transport = None
        self._waiting.clear()
        if self._pausing is not None:
            self._pausing.cancel()
        for task in self._running:
            task.cancel()

    def close(self) -> None:
        """End the channel; a host that asks is told that nobody answers."""
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        transport = self._transport
        if transport is None:
            return
        while self._waiting and len(self._running) < AT_ONCE and not self._is_unread and self._pausing is None:
            wait_s = self._pace.wait_s(str(self._waiting[0][0].get("ask")), self._loop.time())
            if wait_s > 0:
                self._pausing = self._loop.call_later(wait_s, self._go_on)
                break
            task = self._loop.create_task(self._carry_out(*self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._note_done)
        if self._waiting and not self._is_paused:
            transport.pause_reading()
        elif self._is_paused and not self._waiting:
            transport.resume_reading()
        self._is_paused = bool(self._waiting)

    def _go_on(self) -> None:
        self._pausing = None
        self._begin()

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._begin()

    async def _carry_out(self, fields: dict[str, Any], body: bytes) -> None:
        number = fields.get("id")
        number = number if type(number) is int else 0
        try:
            result, content = await self._answer(fields, body)
            if fields.get("ask") == "secret.get":
                self._veil.hide(result["value"])  # before the plugin has it, and could print it
            head = {"id": number, "ok": True, "result": result}
            self._send(encode(head, content))
        except Refused as refused:
            self._refuse(number, refused)
        except Exception:
            # The edge of a question: whatever it was, the host must not wait for ever.
            log.exception("a plugin's question could not be answered")
            self._refuse(number, _FAULT)

    async def _answer(self, fields: dict[str, Any], body: bytes) -> tuple[Any, bytes]:
        if self._broker is None:
            raise Refused("unavailable", "this host was started without a platform that answers")
        answer = questions.answer(self._broker, self._namespace_id, fields, body)
        if fields.get("ask") == "llm.generate":
            return await answer
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            raise Refused("timed_out", f"the platform did not answer within {ANSWER_S:g} s") from None

    def _refuse(self, number: int, refused: Refused) -> None:
        error = {"code": refused.code, "message": refused.reason}
        self._send(encode({"id": number, "ok": False, "error": error}))

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
