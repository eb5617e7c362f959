"""What was asked of this host and is not carried out yet.

The main thread reads the socket itself while it has nothing to do: handing each request from one thread to another
would cost more than a short call. Only while one call lasts long does a second thread read, so that health is answered,
replies that were finished before it leave, and the end of whoever started this host is noticed.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from mixpeek.host.frames import FrameInvalid, FrameReader
from mixpeek.host.inference import Asked

Call = tuple[dict[str, Any], bytes] | Asked

_READ_BYTES = 256 * 1024
# How long the next request of a lone caller is looked out for; asleep, this host would lend its processor to the
# caller, and both be slower for it.
_LINGER_S = 0.001
# Requests sent while no other was under way, after which their caller counts as a lone one.
_LONE_AFTER = 8
# Between two looks this much passes only if others work on this processor, rather than the caller for a moment.
_INTERRUPTED_S = 0.0005
_MOST_SKIPPED = 1023
# A call that lasts longer than this is a long one.
_LONG_S = 0.05


class Inbox:
    """Reads requests; `waiting` holds them in order, but health, which goes to `on_health` as it arrives.

    While a call is a long one, `on_long` is called now and then, from another thread.
    """

    def __init__(
        self, connection: socket.socket, on_health: Callable[[dict[str, Any]], None], on_long: Callable[[], None]
    ) -> None:
        self.waiting: deque[Call] = deque()
        self._connection = connection
        self._on_health = on_health
        self._on_long = on_long
        self._reader = FrameReader()
        self._arrived = memoryview(bytearray(_READ_BYTES))
        self._reading = threading.Lock()
        self._is_running = False
        self._turn = 0
        self._lone = self._late = self._skip = 0
        self._is_used = threading.Event()
        threading.Thread(target=self._watch, name="watcher", daemon=True).start()

    @property
    def is_running(self) -> bool:
        """Whether a call is being carried out."""
        return self._is_running

    def fill(self) -> None:
        """Return once something waits."""
        while not self.waiting:
            with self._reading:
                if not self.waiting and not self._linger():
                    self._receive(0)

    def _linger(self) -> bool:
        """Look out for a lone caller's next request; ever more seldom where it comes late, or others want to run."""
        if self._lone < _LONE_AFTER:
            return False
        if self._skip:
            self._skip -= 1
            return False
        looked_at = time.perf_counter()
        ends_at = looked_at + _LINGER_S
        while True:
            try:
                self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()  # to a caller that the kernel put on this processor
                before, looked_at = looked_at, time.perf_counter()
                if looked_at > ends_at or looked_at - before > _INTERRUPTED_S:
                    self._skip = self._late = min(2 * self._late + 1, _MOST_SKIPPED)
                    return False
            else:
                self._late = 0
                return True

    def top_up(self) -> None:
        """Take in what has arrived already."""
        with self._reading, contextlib.suppress(BlockingIOError):
            self._receive(socket.MSG_DONTWAIT)

    def begin(self) -> None:
        """Note that a call begins."""
        self._turn += 1
        self._is_running = True
        if not self._is_used.is_set():
            self._is_used.set()

    def end(self) -> None:
        """Note that it has ended."""
        self._is_running = False

    def _receive(self, flags: int) -> None:
        try:
            # Into memory that is kept: room for so many bytes would be asked of the system, and given back, each time.
            size = self._connection.recv_into(self._arrived, 0, flags)
            calls = self._reader.feed(self._arrived[:size])
        except (ConnectionError, FrameInvalid):
            size, calls = 0, []
        if not size:
            # Whoever started this host is gone or speaks nonsense: a call still running serves nobody.
            os._exit(0)
        self._lone = self._lone + 1 if len(calls) == 1 and calls[0][0].get("lone") is True else 0
        for request, body in calls:
            verb = request.get("verb")
            if verb == "health":
                self._on_health(request)
            else:
                self.waiting.append(Asked(request, body) if verb == "infer" else (request, body))

    def _watch(self) -> None:
        arrival = select.poll()
        arrival.register(self._connection, select.POLLIN)
        while True:
            self._is_used.wait()
            turn = self._turn
            time.sleep(_LONG_S)
            if turn == self._turn and not self._is_running:
                self._is_used.clear()
                if self._is_running:  # it began between the two lines above
                    self._is_used.set()
            while self._is_running and turn == self._turn:
                with contextlib.suppress(ConnectionError):  # met again, and dealt with, in reading
                    self._on_long()
                if arrival.poll(_LONG_S * 1000) and self._reading.acquire(blocking=False):
                    try:
                        if self._is_running and turn == self._turn:
                            with contextlib.suppress(BlockingIOError):  # the main thread has read it meanwhile
                                self._receive(socket.MSG_DONTWAIT)
                    finally:
                        self._reading.release()
