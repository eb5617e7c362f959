"""Servers whose replica is staged, answering inference requests both ways, and clients that read every byte.

A real uvicorn on a real socket three times over one platform: directly, by the ASGI route, and directly with a limit.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from types import SimpleNamespace
from typing import Any

import orjson
import uvicorn
import uvloop
from starlette.datastructures import State

from factories.waiting import until
from mixpeek.api.inference import Inference
from mixpeek.api.rate_limit import Limit
from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import NotFound, PluginRaised, Unauthorized
from mixpeek.execution.port import Awaiting
from mixpeek.server.direct import direct_protocol
from mixpeek.server.responses import JoinedProtocol
from mixpeek.serving.replica import Served
from mixpeek.serving.replica_set import ReplicaSet, Started
from mixpeek.serving.routing import Route, RouteTable, Wanted
from mixpeek.tenancy.models import Principal
from mixpeek.tenancy.service import hash_key, key_in

URI = "mixpeek://words@1.0.0/v"
SERVED = Served("ns_1", "words_1_0_0", "words", "1.0.0", "abc", URI, {"v": URI})
KEY = "sk_known"
KEEP_ALIVE_S = 0.4
MOST_BYTES = 90_000
BODY = b'{"inference_name":"words","inputs":{"text":"hello"}}'


class EchoHost:
    """A host that answers with what it was asked, at once or when the test lets it; inputs named `fail` fail."""

    pid, alive, ended = 1, True, None

    def __init__(self) -> None:
        self.is_held = False
        self.held: list[tuple[bytes, Awaiting]] = []
        self.due: list[tuple[bytes, Awaiting]] = []
        self.asked = 0

    def post(self, body: bytes, answer: Awaiting, *, alone: bool = False, timeout_s: float = 15.0) -> None:
        self.asked += 1
        if self.is_held:
            self.held.append((body, answer))
        else:
            self.due.append((body, answer))
            asyncio.get_running_loop().call_soon(self.linger)

    @staticmethod
    def answer(body: bytes, answer: Awaiting) -> None:
        inputs = orjson.loads(body)["inputs"]
        if "fail" in inputs:
            answer.set_exception(PluginRaised("ValueError: no", frames=[], step=None, exception="ValueError"))
        elif "nan" in inputs:
            answer.set_result((1, b"NaN"))
        else:
            answer.set_result((1, orjson.dumps(inputs)))

    def release(self) -> None:
        self.is_held = False
        while self.held:
            self.answer(*self.held.pop(0))

    def linger(self) -> None:
        """Answer what is due now."""
        while self.due:
            self.answer(*self.due.pop(0))

    async def close(self) -> None:
        """There is nothing to end."""


class Tenancy:
    """One key and one namespace, remembered."""

    caller = Principal("org", "key_1", "tests", ("read",))
    blind = Principal("org", "key_2", "blind", ())

    def recall_hash(self, key_hash: str) -> Principal | None:
        return {hash_key(KEY): self.caller, hash_key("sk_blind"): self.blind}.get(key_hash)

    def authenticate(self, authorization: str | None) -> Principal:
        found = self.recall_hash(hash_key(key_in(authorization) or ""))
        if found is None:
            raise Unauthorized("This API key is not known here, or was revoked")
        return found

    def recall(self, caller: Principal, identifier: str) -> str | None:
        return "ns_1" if identifier in ("ns_1", "mine") else None

    def find(self, caller: Principal, identifier: str) -> str:
        found = self.recall(caller, identifier)
        if found is None:
            raise NotFound("namespace", identifier)
        return found


async def nowhere(namespace_id: str, wanted: Wanted) -> ReplicaSet:
    raise NotFound("plugin", wanted.name)


class Servers:
    """Both servers in one loop of their own thread."""

    def __init__(self) -> None:
        self.host = EchoHost()
        self.handed_on = 0
        self.noted: list[tuple[str | None, int]] = []
        self.ports: dict[str, int] = {}
        self.servers: list[uvicorn.Server] = []
        self.plan = ServePlan(batch_size=1)
        self.loop: Any = None
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()))
        self._thread.start()
        until(lambda: len(self.servers) == 3 and all(each.started for each in self.servers), what="uvicorn has started")

    def observe(self, target: ReplicaSet | None, status: int, seconds: float, batch: int) -> None:
        assert seconds >= 0
        self.noted.append((None if target is None else target.served.plugin_id, status))

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()

        async def start() -> Started:
            return Started(self.host, 1)  # type: ignore[arg-type]

        answering = ReplicaSet(SERVED, self.plan, start)
        await answering.open()
        route = Route(((answering, 1.0),))
        table = RouteTable({("ns_1", "words"): route}, {("ns_1", "words_1_0_0"): route})
        tenancy = Tenancy()
        replicas = SimpleNamespace(table=table, locate=nowhere)
        state = State({"platform": SimpleNamespace(keyring=tenancy, addresses=tenancy, replicas=replicas)})

        async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        serving = []
        for name in ("direct", "asgi", "limited"):
            limit = Limit(60, 3) if name == "limited" else None
            front = Inference(elsewhere, state, MOST_BYTES, limit, self.observe)

            async def app(scope: Any, receive: Any, send: Any, front: Inference = front, name: str = name) -> None:
                if name == "direct":
                    self.handed_on += 1
                await front(scope, receive, send)

            protocol: Any = JoinedProtocol if name == "asgi" else direct_protocol(front)
            config = uvicorn.Config(
                app,
                http=protocol,
                lifespan="off",
                log_config=None,
                timeout_keep_alive=KEEP_ALIVE_S,  # type: ignore[arg-type]
                server_header=False,
            )
            listener = socket.create_server(("127.0.0.1", 0))
            self.ports[name] = listener.getsockname()[1]
            server = uvicorn.Server(config)
            serving.append(server.serve([listener]))
            self.servers.append(server)
        await asyncio.gather(*serving)
        await answering.close()

    def forget_noted(self) -> None:
        """Forget what was noted, in the loop's own turn: an answer is noted right after its client has it."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (self.noted.clear(), done.set()))
        assert done.wait(10)

    def close(self) -> None:
        for server in self.servers:
            server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()


def request(body: bytes = BODY, *lines: str, path: str = "/v1/inference", key: str | None = KEY) -> bytes:
    named = [f"POST {path} HTTP/1.1", "host: here", *lines]
    if key is not None:
        named.append(f"Authorization: Bearer {key}")
    if not any(line.lower().startswith(("x-namespace", "transfer-encoding")) for line in lines):
        named.append("X-Namespace: mine")
    if not any(line.lower().startswith("transfer-encoding") for line in lines):
        named.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*named, "", ""]).encode() + body


class Client:
    """One connection that reads whole answers; what differs from one to the next in each of them is left out."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.buffer = b""

    def send(self, *pieces: bytes) -> None:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except OSError:
            pass  # closed by an earlier answer

    def read(self) -> bytes:
        """Return the next answer, b"" if the connection was closed instead."""
        try:
            while (end := self.buffer.find(b"\r\n\r\n")) < 0:
                self._more()
            found = re.search(rb"content-length: (\d+)", self.buffer[:end])
            whole = end + 4 + (int(found[1]) if found else 0)
            while len(self.buffer) < whole:
                self._more()
        except EOFError:
            return self.buffer
        answer, self.buffer = self.buffer[:whole], self.buffer[whole:]
        answer = re.sub(rb"\r\ndate: [^\r]*", b"", answer)
        return re.sub(rb"req_[0-9a-f]{16}", b"req_", answer)

    def is_closed(self) -> bool:
        """Wait until the server closes the connection; False if it says something instead."""
        return self.socket.recv(1) == b""

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        self.buffer += data


def ask(port: int, *pieces: bytes, answers: int = 1) -> list[bytes]:
    client = Client(port)
    with client.socket:
        client.send(*pieces)
        return [client.read() for _ in range(answers)]


def one_by_one(port: int, *requests: bytes) -> list[bytes]:
    """Return the answers on one connection, each request sent once the one before was answered."""
    client = Client(port)
    answers = []
    with client.socket:
        for each in requests:
            client.send(each)
            answers.append(client.read())
    return answers
