"""The host's end of the second socket, on which plugin code asks the platform and waits.

Several threads may wait at once. There is no thread of its own: of those that wait, one reads for all of them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Any

from mixpeek.contract.asking import Refused
from mixpeek.host.frames import LENGTHS, FrameInvalid, decode_strict, encode

_GONE = "the platform no longer answers this host"

_Answer = tuple[dict[str, Any], bytearray]


class Asking:
    """Questions over one connected socket, matched to their answers by number; see `contract.asking.Asks`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._turn = threading.Condition()
        self._last = 0
        self._is_read = False
        self._is_gone = False
        # None while the answer is awaited.
        self._answers: dict[int, _Answer | None] = {}

    def ask(self, what: str, fields: Mapping[str, Any], body: bytes = b"") -> tuple[Any, bytearray]:
        """Return what the platform answers, in words and in bytes; raise Refused."""
        with self._turn:
            self._last += 1
            number = self._last
            self._answers[number] = None
        try:
            try:
                question = encode({"id": number, "ask": what, **fields}, body)
            except (FrameInvalid, TypeError, ValueError) as error:
                raise Refused("invalid", f"it cannot be asked: {error}") from None
            self._send(question)
            answer, content = self._wait_for(number)
        finally:
            with self._turn:
                del self._answers[number]
        if answer.get("ok") is True:
            return answer.get("result"), content
        refusal = answer["error"]
        raise Refused(str(refusal["code"]), str(refusal["message"]))

    def _send(self, question: bytes) -> None:
        try:
            with self._sending:
                self._connection.sendall(question)
        except OSError:
            raise Refused("unavailable", _GONE) from None

    def _wait_for(self, number: int) -> _Answer:
        with self._turn:
            while (answer := self._answers[number]) is None:
                if self._is_gone:
                    raise Refused("unavailable", _GONE)
                if self._is_read:
                    self._turn.wait()
                else:
                    self._read_one()
            return answer

    def _read_one(self) -> None:
        """Read one answer, for whoever waits for it; the caller holds the turn, and others may ask meanwhile."""
        self._is_read = True
        self._turn.release()
        arrived: _Answer | None = None
        try:
            arrived = self._receive()
        finally:
            self._turn.acquire()
            self._is_read = False
            # Also where the reader was interrupted in the middle of an answer: what follows could not be told apart.
            self._is_gone = arrived is None
            if arrived is not None and arrived[0].get("id") in self._answers:
                self._answers[arrived[0]["id"]] = arrived
            self._turn.notify_all()

    def _receive(self) -> _Answer | None:
        lengths = self._exactly(LENGTHS.size)
        if lengths is None:
            return None
        head_bytes, body_bytes = LENGTHS.unpack(lengths)
        head, body = self._exactly(head_bytes), self._exactly(body_bytes)
        return None if head is None or body is None else (decode_strict(bytes(head)), body)

    def _exactly(self, size: int) -> bytearray | None:
        content = bytearray(size)
        room = memoryview(content)
        while room:
            try:
                received = self._connection.recv_into(room)
            except OSError:
                return None
            if not received:
                return None
            room = room[received:]
        return content
