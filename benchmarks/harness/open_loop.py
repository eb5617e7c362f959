"""Requests at a constant rate whatever becomes of them: their times are fixed beforehand, answers are not waited for.

The time of an answer counts from when its request was due, not from when it could be sent, so a server that stalls
does not hide what it made wait. A process of its own; it asks until SIGTERM, waits for what is under way, then writes.
A request is sent once: what fails is recorded, never repeated. Connections are kept, and given up before the server's
own patience with idle ones (5 s) ends.

Usage: `python open_loop.py PORT PATH RATE RECORD HEADER... < body`; RECORD becomes JSON, one request a line:
`[due, seconds, status, version, error]`; `due` by CLOCK_MONOTONIC, status 0 where no answer came. The version is that
of the plugin that answered; of a search, those that made the documents it found.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

PATIENCE_S = 30.0
KEPT_IDLE_S = 2.0
MAKER = re.compile(rb'"feature_extractor_id": ?"([^"]*)"')
# (due, seconds, status, version, error)
Outcome = tuple[float, float, int, str, str]


class Schedule:
    """When requests are due: `rate` a second, evenly, from `began` on."""

    def __init__(self, began: float, rate: float) -> None:
        self._began = began
        self._rate = rate
        self._next = 0

    @property
    def next_at(self) -> float:
        """When the next request is due."""
        return self._began + self._next / self._rate

    def take_due(self, now: float) -> list[float]:
        """Return the times of all requests that are due by now and were not taken yet, however late."""
        due = []
        while self.next_at <= now:
            due.append(self.next_at)
            self._next += 1
        return due


def outcome_of(due: float, seconds: float, answer: bytes) -> Outcome:
    """Return what a complete HTTP answer says: its status, the version that gave it, and the error it names."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head[9:12])
    version = ""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"x-plugin-version":
            version = value.strip().decode()
    if status == 200:
        return due, seconds, status, version or _makers(body), ""
    try:
        error = json.loads(body)["error"]
        text = f"{error['type']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        text = body[:200].decode(errors="replace")
    return due, seconds, status, version, text


def _makers(body: bytes) -> str:
    """Return the versions that made the documents of an answer, joined by `+` if they are several."""
    return "+".join(sorted({found.decode() for found in MAKER.findall(body)}))


def is_complete(answer: bytes) -> bool:
    """Return whether an answer with a content-length has arrived whole."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    lowered = answer[:head].lower()
    at = lowered.find(b"content-length:")
    end = lowered.find(b"\r\n", at)
    length = int(lowered[at + 15 : end if end >= 0 else head]) if at >= 0 else 0
    return len(answer) >= head + 4 + length


class Connection(asyncio.Protocol):
    """One kept connection with at most one request under way."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._transport: Any = None
        self._due: float | None = None
        self._buffer = b""
        self._limit: asyncio.TimerHandle | None = None
        self.idle_since = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, due: float) -> None:
        self._due = due
        self._limit = asyncio.get_running_loop().call_later(PATIENCE_S, self._give_up)
        self._transport.write(self._asker.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._due is None or not is_complete(self._buffer):
            return
        due, answer, self._due, self._buffer = self._due, self._buffer, None, b""
        self._settle()
        self._asker.note(outcome_of(due, time.monotonic() - due, answer))
        self.idle_since = time.monotonic()
        if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
            self._transport.close()
        else:
            self._asker.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"{type(exc).__name__}: {exc}" if exc else "the connection was closed before an answer came")

    def close(self) -> None:
        self._transport.close()

    def _give_up(self) -> None:
        self._fail(f"no answer within {PATIENCE_S:g} s")
        self._transport.abort()

    def _fail(self, why: str) -> None:
        if self._due is not None:
            due, self._due = self._due, None
            self._settle()
            self._asker.note((due, time.monotonic() - due, 0, "", why))

    def _settle(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


class Asker:
    """Sends each request when it is due, on an idle connection or on a new one."""

    def __init__(self, port: int, request: bytes, note: Callable[[Outcome], None]) -> None:
        self.request = request
        self.idle: deque[Connection] = deque()
        self._under_way = 0
        self._ended = asyncio.Event()
        self._port = port
        self._note = note
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, due: float) -> None:
        self._under_way += 1
        now = time.monotonic()
        while self.idle:
            connection = self.idle.popleft()
            if connection.is_open and now - connection.idle_since < KEPT_IDLE_S:
                connection.send(due)
                return
            connection.close()
        task = asyncio.get_running_loop().create_task(self._connect_and_send(due))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect_and_send(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError as error:
            self.note((due, time.monotonic() - due, 0, "", f"{type(error).__name__}: {error}"))
            return
        connection.send(due)

    def note(self, outcome: Outcome) -> None:
        self._under_way -= 1
        self._note(outcome)
        self._ended.set()

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            self._ended.clear()
            await self._ended.wait()


async def ask(port: int, request: bytes, rate: float) -> list[Outcome]:
    """Ask until SIGTERM and return how every request went, in the order in which they ended."""
    outcomes: list[Outcome] = []
    asker = Asker(port, request, outcomes.append)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    schedule = Schedule(time.monotonic(), rate)
    print("asking", flush=True)
    while not stop.is_set():
        for due in schedule.take_due(time.monotonic()):
            asker.send(due)
        await asyncio.sleep(max(0.0, schedule.next_at - time.monotonic()))
    await asker.finish()
    return outcomes


def main() -> None:
    port, path, rate, record, *headers = sys.argv[1:]
    body = sys.stdin.buffer.read()
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *headers]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode()
    outcomes = uvloop.run(ask(int(port), head + body, float(rate)))
    Path(record).write_text("".join(json.dumps(outcome) + "\n" for outcome in outcomes))


if __name__ == "__main__":
    main()
