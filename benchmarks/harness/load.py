"""Constant load over kept-alive connections: each sends the next POST as soon as the last one is answered.

A small client of its own, the same for every contender, in a process of its own: on a machine of two cores a general
one would be what is measured. `null` serves fixed bytes to it, which tells its ceiling.

Usage: `python load.py PORT PATH CONCURRENCY SECONDS HEADER... < bodies`, or `python load.py null PORT`. Bodies, each
on a line, are sent in turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import uvloop


class Asker(asyncio.Protocol):
    """One connection that always has one request under way."""

    def __init__(
        self, requests: Iterator[bytes], ends_at: float, times: array[float], failed: list[str], batches: dict[int, int]
    ) -> None:
        self.requests, self.ends_at, self.times, self.failed = requests, ends_at, times, failed
        self.batches = batches
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + content_length(data, head):
            self.buffer = data
            return
        self.buffer = b""
        now = time.perf_counter()
        self.times.append(now - self.sent_at)
        at = data.find(b"x-batch-size: ", 0, head)
        size = 1 if at < 0 else int(data[at + 14 : data.index(b"\r", at)])
        self.batches[size] = self.batches.get(size, 0) + 1
        if data[9:12] != b"200":
            self.failed.append(data[:1000].decode(errors="replace"))
        if now < self.ends_at:
            self.send()
            return
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self.ends_at:
            self.failed.append(f"the connection was lost: {exc}")
        self.ended.set_result(None)


def content_length(data: bytes, head: int) -> int:
    """Return the length of a body from its response's head."""
    lowered = data[:head].lower()
    at = lowered.find(b"content-length:")
    if at < 0:
        raise ValueError(f"a response without content-length: {data[:300]!r}")
    end = lowered.find(b"\r\n", at)
    return int(lowered[at + 15 : end if end >= 0 else head])


async def ask(port: int, requests: list[bytes], concurrency: int, seconds: float) -> dict[str, Any]:
    """Return requests, seconds and times of the load; times in milliseconds."""
    loop = asyncio.get_running_loop()
    times: array[float] = array("d")
    failed: list[str] = []
    batches: dict[int, int] = {}
    turns = cycle(requests)
    began = time.perf_counter()

    def make() -> Asker:
        return Asker(turns, began + seconds, times, failed, batches)

    askers = [(await loop.create_connection(make, "127.0.0.1", port))[1] for _ in range(concurrency)]
    await asyncio.gather(*(asker.ended for asker in askers))
    took = time.perf_counter() - began
    ordered = sorted(times)
    count = len(ordered)
    if not count:
        raise SystemExit(f"nothing was answered: {failed[:1]}")
    return {
        "requests": count,
        "rate": count / took,
        "p50_ms": ordered[count // 2] * 1e3,
        "p99_ms": ordered[min(count - 1, int(count * 0.99))] * 1e3,
        "batches": batches,
        "failed": len(failed),
        "first_failure": failed[0] if failed else None,
    }


class Null(asyncio.Protocol):
    """Answers whatever arrives with the same bytes."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


async def serve_null(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    if sys.argv[1] == "null":
        uvloop.run(serve_null(int(sys.argv[2])))
        return
    port, path, concurrency, seconds, *headers = sys.argv[1:]
    bodies = sys.stdin.buffer.read().split(b"\n")
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *headers]
    requests = ["\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body for body in bodies]
    print(json.dumps(uvloop.run(ask(int(port), requests, int(concurrency), float(seconds)))))


if __name__ == "__main__":
    main()
