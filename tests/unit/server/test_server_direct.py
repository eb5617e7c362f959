"""Inference requests answered within the HTTP protocol, beside the ASGI route they take otherwise: the same bytes.

A real uvicorn on a real socket twice, over one platform whose replica is staged: the one answers directly, the other
cannot.
"""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import uvicorn
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import State

from factories.waiting import until
from mixpeek.api.inference import Inference
from mixpeek.api.rate_limit import Limit
from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import NotFound, PluginRaised, Unauthorized
from mixpeek.execution.port import Awaiting
from mixpeek.server import responses
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


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    serving = Servers()
    yield serving
    serving.close()


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


def test_a_plain_request_is_answered_directly_however_it_arrives(servers: Servers) -> None:
    handed_on, asked = servers.handed_on, servers.host.asked
    whole = request()
    head = whole.index(b"\r\n\r\n") + 4

    alone = ask(servers.ports["direct"], whole)
    in_two = ask(servers.ports["direct"], whole[:head], whole[head:])
    nested = ask(servers.ports["direct"], request(path="/v1/namespaces/ns_1/inference"))
    client = Client(servers.ports["direct"])
    with client.socket:
        again = []
        for text in ("a", "bb", "a" * 500, ""):
            client.send(request(BODY.replace(b"hello", text.encode())))
            again.append(client.read())

    assert servers.handed_on == handed_on
    assert servers.host.asked == asked + 7
    assert alone == in_two == nested
    assert alone[0].startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-plugin-version: 1.0.0\r\n")
    assert alone[0].endswith(b'"output":{"text":"hello"}}')
    assert [orjson.loads(each.partition(b"\r\n\r\n")[2])["output"]["text"] for each in again] == [
        "a", "bb", "a" * 500, "",
    ]  # fmt: skip


SPECIAL = {
    "unknown key": request(key="sk_other"),
    "no key": request(key=None),
    "key without rights": request(key="sk_blind"),
    "no such namespace": request(BODY, "x-namespace: other"),
    "namespace in the query": request(path="/v1/inference?namespace=mine"),
    "unknown query": request(path="/v1/inference?debug=1"),
    "no such plugin": request(b'{"inference_name":"other","inputs":{}}'),
    "not JSON": request(b'{"inference_name":'),
    "a number": request(b"7"),
    "nothing named": request(b'{"inputs":{}}'),
    "unknown field": request(b'{"inference_name":"words","inputs":{},"colour":1}'),
    "a feature": request(b'{"feature_uri":"mixpeek://words/v","inputs":{"text":"hello"}}'),
    "no such feature": request(b'{"feature_uri":"mixpeek://words/w","inputs":{}}'),
    "no URI": request(b'{"feature_uri":"words","inputs":{}}'),
    "no body": request(b""),
    "a failing plugin": request(b'{"inference_name":"words","inputs":{"fail":1}}'),
    "a result that is no JSON": request(b'{"inference_name":"words","inputs":{"nan":1}}'),
    "a request id": request(BODY, "x-request-id: mine-1"),
    "an odd request id": request(BODY, "x-request-id: \xe9"),
    "a long request id": request(BODY, f"x-request-id: {'x' * 101}"),
    "a control character": request(BODY, "x-request-id: \x7f"),
    "closing": request(BODY, "Connection: close"),
    "kept alive": request(BODY, "Connection: keep-alive"),
    "chunked": request(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), "transfer-encoding: chunked"),
    "length twice": request(BODY, f"content-length: {len(BODY)}"),
    "length and chunks": request(BODY, "transfer-encoding: chunked", "content-length: 5"),
    "HTTP/1.0": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "an upgrade": request(BODY, "connection: upgrade", "upgrade: h2c"),
    "an odd line": request(BODY, "x-odd : 1"),
    "folded line": request(BODY, "x-odd: 1\r\n more"),
    "bare line feed": request(BODY, "x-odd: 1\nx-other: 2"),
    "nested, unknown": request(path="/v1/namespaces/other/inference"),
    "nested, escaped": request(path="/v1/namespaces/n%73_1/inference"),
    "another route": request(path="/v1/other"),
    "another method": request().replace(b"POST", b"GET "),
    "too much": request(b'{"inference_name":"words","inputs":{"text":"%b"}}' % (b"x" * 100_000)),
    "large": request(b'{"inference_name":"words","inputs":{"text":"%b"}}' % (b"x" * 80_000)),
    "not HTTP": b"\x16\x03\x01\r\n\r\n",
}


@pytest.mark.parametrize("name", SPECIAL)
def test_both_ways_answer_the_same(servers: Servers, name: str) -> None:
    """Alone, and behind a request whose head the connection has just learned."""
    for requests in ([SPECIAL[name]], [request(), request(), SPECIAL[name], request()]):
        assert one_by_one(servers.ports["direct"], *requests) == one_by_one(servers.ports["asgi"], *requests)


@pytest.mark.parametrize(("size", "status"), [(60_000, b"200"), (80_000, b"200"), (95_000, b"413")])
def test_the_limits_of_a_body_hold_for_a_head_that_is_known_too(servers: Servers, size: int, status: bytes) -> None:
    """Handed over in one piece, as a socket may or may not deliver it."""
    whole = request(BODY.replace(b"hello", b"x" * size))
    client = Client(servers.ports["direct"])
    with client.socket:
        for _ in range(2):
            client.send(request(BODY.replace(b"hello", b"x" * 10_000)))
            assert client.read().startswith(b"HTTP/1.1 200")
        (protocol,) = servers.servers[0].server_state.connections
        handed_on, asked = servers.handed_on, servers.host.asked
        servers.loop.call_soon_threadsafe(protocol.data_received, whole)
        answer = client.read()

    assert answer[9:12] == status
    assert servers.handed_on - handed_on == (0 if size < 65_536 else 1)
    assert servers.host.asked - asked == (1 if size < MOST_BYTES else 0)


# What ends its connection: uvicorn says so at once, before or after the answers that are still to come.
ENDING = {name for name in SPECIAL if name in (
    "closing", "length twice", "length and chunks", "HTTP/1.0", "an upgrade", "an odd line", "folded line",
    "bare line feed", "a control character", "not HTTP", "too much",
)}  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_requests_cut_anywhere_are_answered_the_same(servers: Servers, data: st.DataObject) -> None:
    plain = st.text(max_size=40).map(
        lambda text: request(orjson.dumps({"inference_name": "words", "inputs": {"text": text}}))
    )
    lasting = st.sampled_from([each for name, each in SPECIAL.items() if name not in ENDING])
    sent = data.draw(st.lists(plain | plain | lasting, min_size=1, max_size=5))
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    # Asked in one piece and in turn: uvicorn closes a connection, or not, whose next request comes in while it refuses
    # one before having read its body.
    by_asgi = one_by_one(servers.ports["asgi"], *sent)

    assert ask(servers.ports["direct"], *pieces, answers=len(sent)) == by_asgi
    assert one_by_one(servers.ports["direct"], *sent) == by_asgi


def test_every_answer_is_noted_once_with_the_version_that_was_asked(servers: Servers) -> None:
    requests = (request(), SPECIAL["a failing plugin"], SPECIAL["unknown key"], SPECIAL["no such plugin"])
    noted = {}
    for name in ("direct", "asgi"):
        servers.forget_noted()
        for number, each in enumerate(requests, start=1):
            ask(servers.ports[name], each)
            until(lambda number=number: len(servers.noted) == number, what="the answer is noted")
        noted[name] = list(servers.noted)

    directly = noted["direct"]
    assert directly == noted["asgi"]
    assert [status for _, status in directly] == [200, PluginRaised.status, 401, 404]
    assert [plugin for plugin, _ in directly] == ["words_1_0_0", "words_1_0_0", None, None]


def test_a_limit_counts_each_request_once_and_refuses_the_same_way(servers: Servers) -> None:
    handed_on = servers.handed_on
    client = Client(servers.ports["limited"])
    with client.socket:
        answers = []
        for _ in range(4):
            client.send(request())
            answers.append(client.read())

    assert [answer[9:12] for answer in answers] == [b"200", b"200", b"200", b"429"]
    left = [re.search(rb"x-ratelimit-remaining: (\d+)", answer) for answer in answers]
    assert [found and found[1] for found in left] == [b"2", b"1", b"0", b"0"]
    assert b"\r\nretry-after: " in answers[3]
    assert servers.handed_on == handed_on


def test_a_lone_caller_keeps_nobody_else_waiting(servers: Servers) -> None:
    """Its next request is looked out for on the spot; others come in between, and it may go at any time."""
    lone, other = Client(servers.ports["direct"]), Client(servers.ports["direct"])
    bodies = [f'{{"inference_name":"words","inputs":{{"n":{n}}}}}'.encode() for n in range(300)]
    with other.socket:
        with lone.socket:
            for n, body in enumerate(bodies):
                lone.send(request(body))
                assert lone.read().endswith(f'"output":{{"n":{n}}}}}'.encode())
                if n % 50 == 49:
                    other.send(request())
                    assert other.read().endswith(b'"output":{"text":"hello"}}')
            lone.send(request(bodies[0])[:-5])
        other.send(request())
        assert other.read().endswith(b'"output":{"text":"hello"}}')


def test_requests_sent_while_one_is_answered_are_answered_in_order(servers: Servers) -> None:
    servers.host.is_held = True
    client = Client(servers.ports["direct"])
    with client.socket:
        client.send(request(BODY.replace(b"hello", b"first")))
        until(lambda: servers.host.held, what="the first request is in the host")
        client.send(request(BODY.replace(b"hello", b"second")), request(BODY.replace(b"hello", b"third")))
        servers.loop.call_soon_threadsafe(servers.host.release)
        answers = [client.read() for _ in range(3)]

    texts = [orjson.loads(answer.partition(b"\r\n\r\n")[2])["output"]["text"] for answer in answers]
    assert texts == ["first", "second", "third"]


def test_a_client_that_left_costs_its_answer_and_nothing_else(servers: Servers) -> None:
    servers.host.is_held = True
    servers.forget_noted()
    client = Client(servers.ports["direct"])
    client.send(request())
    until(lambda: servers.host.held, what="the request is in the host")
    client.socket.close()
    until(lambda: not servers.servers[0].server_state.connections, what="the server has seen the client leave")
    servers.loop.call_soon_threadsafe(servers.host.release)
    until(lambda: servers.noted, what="the answer has come")

    assert ask(servers.ports["direct"], request())[0].startswith(b"HTTP/1.1 200")


def test_a_connection_that_was_answered_keeps_no_body_and_is_freed_when_it_ends(servers: Servers) -> None:
    gc.disable()  # what is left for the collector stays here
    try:
        client = Client(servers.ports["direct"])
        with client.socket:
            for _ in range(2):
                client.send(request())
                client.read()
            (connection,) = servers.servers[0].server_state.connections
            assert connection.cycle.body == b""
            freed = weakref.ref(connection)
            del connection
        until(lambda: freed() is None, what="the connection is freed")
    finally:
        gc.enable()


def test_a_connection_nobody_uses_is_closed_but_not_before_its_time(servers: Servers) -> None:
    client = Client(servers.ports["direct"])
    with client.socket:
        client.send(request())
        client.read()
        began = time.monotonic()
        while time.monotonic() - began < 0.75 * KEEP_ALIVE_S:
            last = time.monotonic()
            client.send(request())
            assert client.read().startswith(b"HTTP/1.1 200")
        assert client.is_closed()
        # The loop's clock counts whole milliseconds.
        assert time.monotonic() - last > KEEP_ALIVE_S - 0.002


@pytest.mark.parametrize("way", ["direct", "asgi"])
def test_a_head_over_its_limit_is_refused_whether_it_ends_or_not(servers: Servers, way: str) -> None:
    long = request(BODY, *(f"x-{number}: {'y' * 1000}" for number in range(70)))
    endless = b"GET / HTTP/1.1\r\nx-endless: "
    fits = request(BODY, *(f"x-{number}: {'y' * 1000}" for number in range(60)))

    assert ask(servers.ports[way], fits)[0].startswith(b"HTTP/1.1 200")
    for pieces in ([long], [request(), long], [endless, *[b"z" * 30_000] * 15]):
        client = Client(servers.ports[way])
        with client.socket:
            if pieces[0] == request():
                client.send(pieces.pop(0))
                assert client.read().startswith(b"HTTP/1.1 200")
            client.send(*pieces[:-1])
            client.send(pieces[-1])
            answer = client.read()
        assert answer.startswith(b"HTTP/1.1 431 "), answer[:60]
        told = orjson.loads(answer.partition(b"\r\n\r\n")[2])
        assert told["error"]["code"] == "request.head_too_large"
        assert told["error"]["details"]["request_id"].encode() in answer


@pytest.mark.parametrize("way", ["direct", "asgi"])
@pytest.mark.parametrize("pieces", [[], [b"\r\n"], [b"POST /v1/inf"], [b"POST /v1/inference HTTP/1.1\r\n", b"x-a"]])
def test_a_connection_that_never_sends_a_whole_head_is_closed(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, way: str, pieces: list[bytes]
) -> None:
    monkeypatch.setattr(responses, "HEAD_S", KEEP_ALIVE_S)
    client = Client(servers.ports[way])
    with client.socket:
        client.socket.settimeout(3)
        client.send(*pieces)
        assert client.is_closed()


def test_a_server_that_stops_answers_what_it_has_taken_and_closes(servers: Servers) -> None:
    stopping = Servers()
    stopping.host.is_held = True
    client, idle = Client(stopping.ports["direct"]), Client(stopping.ports["direct"])
    with client.socket, idle.socket:
        idle.send(SPECIAL["a failing plugin"][:40])
        client.send(request())
        until(lambda: stopping.host.held, what="the request is in the host")
        for server in stopping.servers:
            server.should_exit = True
        until(lambda: all(not each.servers[0].is_serving() for each in stopping.servers), what="no more is taken")
        stopping.loop.call_soon_threadsafe(stopping.host.release)
        answer = client.read()
        assert client.is_closed()
    stopping.close()

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer
