"""A loopback hub: speaks the documented protocol over files in memory, and can fail on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """`models` is {name: {path: content}}; every model has one commit, on `main`.

    `cut_after`: bytes of a file after which the connection is dropped, once per entry; `hold`: while set, downloads
    stop after their first bytes, `reached` tells that one has.
    """

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)
    claimed_sizes: dict[str, int] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.released.set()

    def listing(self, name: str) -> bytes:
        siblings = [
            {
                "rfilename": path,
                "size": self.claimed_sizes.get(path, len(content)),
                "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
                **({"lfs": {"sha256": hashlib.sha256(content).hexdigest()}} if len(content) > 1_000_000 else {}),
            }
            for path, content in self.models[name].items()
        ]
        return json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()


@contextmanager
def running_hub(models: dict[str, dict[str, bytes]]) -> Iterator[FakeHub]:
    """Serve a hub on a free loopback port."""
    hub = FakeHub(models)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((path, self.headers.get("Range")))
            listed = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path)
            if listed:
                known = listed[1] in hub.models and listed[2] in ("main", COMMIT)
                self._answer(200 if known else 404, hub.listing(listed[1]) if known else b"{}")
                return
            found = re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", path)
            content = hub.models.get(found[1], {}).get(found[2]) if found else None
            if content is None:
                self._answer(404, b"")
                return
            self._send_file(content)

        def _send_file(self, content: bytes) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
            body = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if len(content) > 1_000_000 and (hub.cut_after or not hub.released.is_set()):
                sent = hub.cut_after.pop(0) if hub.cut_after else 1_000_000
                self.wfile.write(body[:sent])
                self.wfile.flush()
                hub.reached.set()
                hub.released.wait(30)
                self.close_connection = True
                return
            self.wfile.write(body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away in the middle is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
