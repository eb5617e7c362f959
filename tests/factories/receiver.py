"""A real receiver of webhooks on a free local port: it answers as a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from factories.waiting import until
from mixpeek.webhooks import verify


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def event_id(self) -> str:
        return self.headers["mixpeek-event-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the event, as a receiver with this secret does."""
        return verify(self.body, self.headers.get("mixpeek-signature"), secret)


# What a receiver does with its nth request, counted from 0: the status it answers, with headers and a body.
Behaviour = Callable[[int, "Answering"], None]


class Answering:
    """One request while it is answered."""

    def __init__(self, handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
        self._handler = handler
        self._receiver = receiver

    def __call__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def nothing(self) -> None:
        """Keep the sender waiting until the receiver is closed, or `let_go` is called."""
        self._receiver.released.wait(60)

    def trickle(self) -> None:
        """Answer one byte at a time, for as long as the sender listens."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Length", "100000")
        self._handler.end_headers()
        while not self._receiver.released.wait(0.02):
            self._handler.wfile.write(b".")
            self._handler.wfile.flush()


class Receiver:
    """Use as a context manager."""

    def __init__(self, behave: Behaviour = lambda _, answer: answer(200)) -> None:
        self.behave = behave
        self.received: list[Received] = []
        self.released = threading.Event()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._counted() as number:
                    receiver.received.append(Received(self.path, headers, body, time.monotonic()))
                    with contextlib.suppress(OSError):  # the sender has gone
                        receiver.behave(number, Answering(self, receiver))

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/hook"

    def of(self, event_type: str) -> list[Received]:
        """What was received of one event type, so far."""
        return [each for each in list(self.received) if each.headers["mixpeek-event-type"] == event_type]

    def wait_for(self, count: int, *, within_s: float = 20.0) -> list[Received]:
        """Return what was received once that is so many requests."""
        until(lambda: len(self.received) >= count, what=f"{count} deliveries", within_s=within_s)
        return list(self.received)

    @contextlib.contextmanager
    def _counted(self) -> Any:
        with self._lock:
            number = len(self.received)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield number
        finally:
            with self._lock:
                self._at_once -= 1

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
