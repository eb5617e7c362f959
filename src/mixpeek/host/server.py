"""Answers frames on one socket: a reader thread, and the main thread, where all plugin code runs.

Health is answered by the reader, so it comes back while a call is still running.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from queue import SimpleQueue
from typing import Any

from mixpeek.host.failures import Failure, failure_from, invalid, too_large
from mixpeek.host.frames import MAX_BODY_BYTES, FrameReader, FrameTooLarge, check_reply_header, frame
from mixpeek.host.loader import PluginPackage
from mixpeek.host.verbs import Plugin, plain

_READ_BYTES = 256 * 1024
# Finished replies leave together, but none waits for slow calls behind it.
_FLUSH_AFTER_S = 0.0005


def _default(value: Any) -> Any:
    converted = plain(value)
    if converted is value:
        raise TypeError(f"a {type(value).__name__} has no JSON form")
    return converted


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_default)


class Server:
    """Serves one plugin over one connected socket until it is closed or told to shut down."""

    def __init__(self, connection: socket.socket, package: PluginPackage) -> None:
        self._connection = connection
        self._package = package
        plugin = Plugin(package)
        self._verbs = {
            "describe": plugin.describe,
            "build": plugin.build,
            "run": plugin.run,
            "predict": plugin.predict,
            "warmup": plugin.warmup,
        }
        self._calls: SimpleQueue[tuple[dict[str, Any], bytes]] = SimpleQueue()
        self._sending = threading.Lock()
        self._is_busy = False
        self._answered = 0

    def serve(self) -> None:
        """Answer requests until `shutdown`; must run on the main thread."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        replies: list[bytes] = []
        started = 0.0
        while True:
            request, body = self._calls.get()
            if not replies:
                started = time.monotonic()
            self._is_busy = True
            replies.append(self._answer(request, body))
            self._is_busy = False
            self._answered += 1
            is_last = request.get("verb") == "shutdown"
            if is_last or self._calls.empty() or time.monotonic() - started > _FLUSH_AFTER_S:
                self._send(replies[0] if len(replies) == 1 else b"".join(replies))
                replies.clear()
            if is_last:
                return

    def _read(self) -> None:
        reader = FrameReader()
        try:
            with contextlib.suppress(ConnectionError):
                while data := self._connection.recv(_READ_BYTES):
                    for request, body in reader.feed(data):
                        self._take(request, body)
        finally:
            # Whoever started this host is gone or speaks nonsense: a call still running serves nobody.
            os._exit(0)

    def _take(self, request: dict[str, Any], body: bytes) -> None:
        if request.get("verb") != "health":
            self._calls.put((request, body))
            return
        health = {"busy": self._is_busy, "waiting": self._calls.qsize(), "answered": self._answered}
        self._send(_reply(request, health))

    def _answer(self, request: dict[str, Any], body: bytes) -> bytes:
        try:
            verb = request.get("verb")
            if verb == "shutdown":
                return _reply(request, {})
            return _reply(request, *self._verbs[str(verb)](request, body))
        except BaseException as error:  # SystemExit too: whatever plugin code raises is an answer, not our end
            return _refusal(request, failure_from(error, self._package.root))

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._connection.sendall(data)


def _reply(request: dict[str, Any], result: Any, body: bytes = b"") -> bytes:
    try:
        head = _encoder.encode({"id": request.get("id"), "ok": True, "result": result}).encode()
    except MemoryError as error:
        raise too_large("the result is too large to be written as JSON in the memory left; return less") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(f"the result is not strict JSON: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise too_large(f"the result's table has {len(body):,} bytes, over the limit; return less")
    try:
        check_reply_header(head)
    except FrameTooLarge as error:
        raise too_large(str(error)) from error
    return frame(head, body)


def _refusal(request: dict[str, Any], failure: Failure) -> bytes:
    return frame(_encoder.encode({"id": request.get("id"), "ok": False, "error": failure.wire()}).encode())
