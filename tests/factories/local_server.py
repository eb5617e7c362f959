"""A real HTTP server on a free local port that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    """What the server sends back: JSON unless `body` is bytes."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def refusal(status: int, type_: str, message: str, **more: Any) -> Answer:
    """The error envelope."""
    error = {"type": type_, "message": message, "hint": more.pop("hint", None), "details": more.pop("details", {})}
    return Answer({"success": False, "status": status, "error": error, **more}, status)


class LocalServer:
    """Use as a context manager; `on` sets the answers to a route, the last of which stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._fallback: Answer | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                parts = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, content))
                answer = server._answer(self.command, parts.path)
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, route: str, *answers: Any) -> None:
        """Answer `"GET /v1/tasks/x"` with these in turn; a plain dict is a 200."""
        method, path = route.split(" ")
        made = [answer if isinstance(answer, Answer) else Answer(answer) for answer in answers]
        self._answers[method, path] = made

    def on_any(self, answer: Any) -> None:
        """Answer every route that has no answer of its own with this."""
        self._fallback = answer if isinstance(answer, Answer) else Answer(answer)

    def routes(self) -> list[str]:
        """What was asked, as `"GET /v1/tasks/x"`, in order."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def _answer(self, method: str, path: str) -> Answer:
        answers = self._answers.get((method, path))
        if not answers:
            return self._fallback or refusal(404, "NotFoundError", f"No route {method} {path}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
