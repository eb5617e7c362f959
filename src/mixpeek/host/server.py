"""Answers frames on one socket; all plugin code runs on the main thread.

Health is answered as it is read, so it comes back while a call is still running.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

from mixpeek.host.failures import Failure, failure_from, too_large
from mixpeek.host.frames import MAX_BODY_BYTES, encode_header, frame
from mixpeek.host.inbox import Inbox
from mixpeek.host.inference import Asked, answer_group, ask_one, take_together
from mixpeek.host.loader import PluginPackage
from mixpeek.host.records import RecordHandler
from mixpeek.host.results import encode_result
from mixpeek.host.verbs import Plugin

# Finished replies leave together; behind a call that turns out to be long, the inbox lets them go.
_FLUSH_AFTER_S = 0.0005


class Server:
    """Serves one plugin over one connected socket until it is closed or told to shut down."""

    def __init__(self, connection: socket.socket, package: PluginPackage, records: RecordHandler) -> None:
        self._connection = connection
        self._records = records
        self._package = package
        self._plugin = plugin = Plugin(package)
        self._verbs = {
            "describe": plugin.describe,
            "build": plugin.build,
            "run": plugin.run,
            "predict": plugin.predict,
            "warmup": plugin.warmup,
            "libraries": plugin.libraries,
            "tests": plugin.tests,
        }
        self._inbox = Inbox(connection, self._answer_health, self._flush)
        self._unsent: list[bytes] = []
        self._sending = threading.Lock()
        self._is_told_to_end = False
        self._answered = 0

    def serve(self) -> None:
        """Answer requests until `shutdown`; must run on the main thread."""
        inbox = self._inbox
        waiting = inbox.waiting
        unsent = self._unsent
        unsent_since = 0.0
        while not self._is_told_to_end:
            inbox.fill()
            if not unsent:
                unsent_since = time.monotonic()
            inbox.begin()
            left, replies = self._carry_out()
            for reply in replies:
                left -= 1
                is_last = not (left or waiting) or self._is_told_to_end
                # Both before the reply can leave, by the inbox's thread too: who reads it may ask for health at once.
                self._answered += 1
                if is_last:
                    inbox.end()
                unsent.append(reply)
                if is_last or time.monotonic() - unsent_since > _FLUSH_AFTER_S:
                    self._flush()
            inbox.end()

    def _carry_out(self) -> tuple[int, Iterable[bytes]]:
        """Take the next call, or the next inference requests that go together; return their number and the replies."""
        plugin, waiting = self._plugin, self._inbox.waiting
        first = waiting[0]
        if not isinstance(first, Asked):
            waiting.popleft()
            self._flush()  # no other call is as short as an inference request may be
            return 1, (self._answer(*first),)
        if plugin.batch_size == 1:
            waiting.popleft()
            return 1, (self._told(first, 1, ask_one(plugin, first, encode_result)),)
        if plugin.batch_size > len(waiting):
            self._inbox.top_up()
        group = take_together(waiting, plugin.batch_size, same_keys=plugin.batches_by_keys())
        return len(group), (self._told(*each) for each in answer_group(plugin, group, encode_result))

    def _told(self, asked: Asked, size: int, result: bytes | BaseException) -> bytes:
        if isinstance(result, bytes):
            return frame(b'{"id":%d,"ok":true,"result":%d}' % (asked.identifier, size), result)
        self._records.note_failure("predict", result)
        return _refusal(asked.identifier, failure_from(result, self._package.root))

    def _answer_health(self, request: dict[str, Any]) -> None:
        inbox = self._inbox
        self._send(
            _reply(request, {"busy": inbox.is_running, "waiting": len(inbox.waiting), "answered": self._answered})
        )

    def _answer(self, request: dict[str, Any], body: bytes) -> bytes:
        try:
            verb = request.get("verb")
            if verb == "shutdown":
                self._is_told_to_end = True
                return _reply(request, {})
            return _reply(request, *self._verbs[str(verb)](request, body))
        except BaseException as error:  # SystemExit too: whatever plugin code raises is an answer, not our end
            self._records.note_failure(request.get("verb"), error)
            return _refusal(request.get("id"), failure_from(error, self._package.root))

    def _flush(self) -> None:
        """Send the replies that are finished; from the inbox's thread too, while a long call is running."""
        unsent = self._unsent
        with self._sending:
            size = len(unsent)  # a further one may be added meanwhile
            if size:
                self._connection.sendall(unsent[0] if size == 1 else b"".join(unsent[:size]))
                del unsent[:size]

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._connection.sendall(data)


def _reply(request: dict[str, Any], result: Any, body: bytes = b"") -> bytes:
    head = encode_result({"id": request.get("id"), "ok": True, "result": result})
    if len(body) > MAX_BODY_BYTES:
        raise too_large(f"the result's table has {len(body):,} bytes, over the limit; return less")
    return frame(head, body)


def _refusal(identifier: Any, failure: Failure) -> bytes:
    return frame(encode_header({"id": identifier, "ok": False, "error": failure.wire()}))
