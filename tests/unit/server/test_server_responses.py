"""Responses of a real uvicorn over our transport: head and body leave together, and neither waits in vain."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from factories.waiting import until
from mixpeek.server.responses import JoinedProtocol, JoinedTransport

RELEASE = threading.Event()


async def app(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    lengths = {"/ten": b"10", "/none": b"0", "/late": b"10"}
    headers = [(b"content-length", lengths[path])] if path in lengths else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/stream":
        await asyncio.to_thread(RELEASE.wait, 10)
    if path == "/late":
        await asyncio.sleep(0.05)
    body = b"" if path == "/none" else b"0123456789"
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=JoinedProtocol, loop="uvloop", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    serving.start()
    until(lambda: server.started, what="uvicorn has started")
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    serving.join(10)


@pytest.mark.parametrize(("path", "body"), [("/ten", "0123456789"), ("/none", ""), ("/late", "0123456789")])
def test_responses_arrive_whole_one_after_another_on_one_connection(url: str, path: str, body: str) -> None:
    with httpx.Client(base_url=url, timeout=5) as http:
        assert [http.get(path).text for _ in range(3)] == [body] * 3
        assert http.get(path, headers={"Connection": "close"}).text == body


def test_an_answer_to_head_arrives_although_its_body_never_comes(url: str) -> None:
    with httpx.Client(base_url=url, timeout=5) as http:
        answers = [http.head("/ten") for _ in range(3)]

    assert {answer.headers["content-length"] for answer in answers} == {"10"}


def test_the_head_of_a_stream_does_not_wait_for_its_first_piece(url: str) -> None:
    RELEASE.clear()
    with httpx.Client(base_url=url, timeout=5) as http, http.stream("GET", "/stream") as answer:
        assert answer.status_code == 200
        RELEASE.set()
        assert answer.read() == b"0123456789"


class Wire:
    """A transport that keeps what is written, piece by piece."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def test_head_and_body_are_one_write() -> None:
    wire = Wire()
    joined = JoinedTransport(wire)  # type: ignore[arg-type]
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"

    for data in (head, b"{}", head, b"[]"):
        joined.write(data)

    assert wire.written == [head + b"{}", head + b"[]"]
