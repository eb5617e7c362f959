"""The proxy of one host, before real listeners on loopback; names are resolved by the test."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from factories.waiting import until
from mixpeek.execution.egress.addresses import Address
from mixpeek.execution.egress.dial import is_own
from mixpeek.execution.egress.gate import Gate
from mixpeek.execution.egress.handover import Handover
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.egress.proxy import Proxy
from mixpeek.execution.egress.tunnel import Caps
from mixpeek.host.egress import hand_over

LOOPBACK = ip_address("127.0.0.1")


class Site:
    """A server on loopback that keeps what it was sent and answers what it is told to."""

    def __init__(self, answer: bytes, *, reads_to_end: bool = False) -> None:
        self.answer, self.reads_to_end = answer, reads_to_end
        self.port, self.connections, self.received = 0, 0, b""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError):
            self.received += await (reader.read() if self.reads_to_end else reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        writer.close()


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def all(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 10)


class World:
    """A proxy with its gate open, sites to reach through it, and names for them."""

    def __init__(self, proxy: Proxy, names: dict[str, list[list[Address]]], port: int) -> None:
        self.proxy, self.names, self.port, self.open = proxy, names, port, []  # type: tuple[Any, Any, Any, list[Any]]

    async def site(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", **options: Any) -> Site:
        site = Site(answer, **options)
        server = await asyncio.start_server(site.talk, "127.0.0.1", 0)
        site.port = server.sockets[0].getsockname()[1]
        self.open.append(server)
        return site

    async def client(self, request: str = "") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.open.append(client.writer)
        client.writer.write(request.encode())
        return client

    async def ask(self, request: str) -> str:
        return (await (await self.client(request)).all()).decode()


@asynccontextmanager
async def world(allow: str = "127.0.0.0/8", caps: Caps | None = None) -> AsyncIterator[World]:
    names: dict[str, list[list[Address]]] = {}

    def resolve(host: str) -> Sequence[Address]:
        answers = names.get(host)
        if answers is None:
            return [ip_address(host)]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    policy = EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": allow})
    proxy = Proxy(policy, "a test", caps=caps, resolve=resolve)
    proxy.serve(listener)
    proxy.open_gate()
    made = World(proxy, names, listener.getsockname()[1])
    try:
        yield made
    finally:
        for opened in made.open:
            opened.close()
        await proxy.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))  # type: ignore[arg-type]


def test_a_tunnel_carries_bytes_both_ways_and_an_end_of_one_direction() -> None:
    async def scenario() -> None:
        async with world() as w:
            site = await w.site(b"answer", reads_to_end=True)
            client = await w.client(f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\nHost: x\r\n\r\nfirst")

            assert (await client.head()).startswith("HTTP/1.1 200 ")
            client.writer.write(b" second")
            client.writer.write_eof()

            assert await client.all() == b"answer"
            assert site.received == b"first second"

    run(scenario)


def test_a_plain_request_reaches_the_server_and_its_answer_is_the_connections_last() -> None:
    async def scenario() -> None:
        async with world() as w:
            site = await w.site()

            answer = await w.ask(f"GET http://127.0.0.1:{site.port}/a?b HTTP/1.1\r\nHost: elsewhere\r\n\r\n")

            assert answer == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            assert site.received.startswith(f"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n".encode())

    run(scenario)


def test_an_interim_answer_passes_before_the_final_one() -> None:
    async def scenario() -> None:
        async with world() as w:
            site = await w.site(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")

            answer = await w.ask(f"POST http://127.0.0.1:{site.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

            assert answer == "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    run(scenario)


def test_a_second_request_on_one_connection_does_not_reach_another_server() -> None:
    async def scenario() -> None:
        async with world() as w:
            first, second = await w.site(), await w.site()
            requests = [f"GET http://127.0.0.1:{s.port}/ HTTP/1.1\r\nHost: x\r\n\r\n" for s in (first, second)]

            answer = await w.ask("".join(requests))

            assert answer.count("HTTP/1.1 ") == 1
            assert "Connection: close" in answer
            assert (first.connections, second.connections) == (1, 0)

    run(scenario)


@pytest.mark.parametrize("verb", ["CONNECT {}:{}", "GET http://{}:{}/"])
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "loopback address"),
        ("name-of-loopback", "loopback address"),
        ("mixed", "loopback address"),
        ("[::1]", "loopback address"),
        ("[::ffff:127.0.0.1]", "loopback address inside an IPv6 one"),
        ("169.254.169.254", "link-local address"),
    ],
)
def test_what_is_not_public_is_answered_with_the_reason_and_never_connected_to(
    verb: str, host: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with world(allow="") as w:
            w.names |= {"name-of-loopback": [[LOOPBACK]], "mixed": [[ip_address("8.8.8.8"), LOOPBACK]]}
            w.names |= {"::1": [[ip_address("::1")]], "::ffff:127.0.0.1": [[ip_address("::ffff:127.0.0.1")]]}
            site = await w.site()

            answer = await w.ask(f"{verb.format(host, site.port)} HTTP/1.1\r\nHost: x\r\n\r\n")

            assert answer.startswith(f"HTTP/1.1 403 egress to {host}:{site.port} is refused: {reason}")
            assert f"\r\n\r\negress to {host}:{site.port} is refused: {reason}" in answer
            assert site.connections == 0
            assert f"a test: egress to {host}:{site.port} is refused: {reason}" in caplog.text

    run(scenario)


def test_a_name_is_resolved_once_and_connected_to_at_the_address_that_was_judged() -> None:
    async def scenario() -> None:
        async with world(allow="127.0.0.1") as w:
            site = await w.site()
            # The second answer, which a proxy that resolves again would follow, is one that nobody may reach.
            w.names["rebinding"] = [[LOOPBACK], [ip_address("127.0.0.2")]]

            first = await w.ask(f"GET http://rebinding:{site.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")
            second = await w.ask(f"GET http://rebinding:{site.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")

            assert first.startswith("HTTP/1.1 200")
            assert "403 egress to rebinding" in second
            assert site.connections == 1

    run(scenario)


def test_a_server_that_refuses_the_connection_is_said_to() -> None:
    async def scenario() -> None:
        async with world() as w:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]

            answer = await w.ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n")

            assert answer.startswith(f"HTTP/1.1 502 egress to 127.0.0.1:{port} failed: it cannot be connected to")

    run(scenario)


def test_the_reason_arrives_although_the_request_s_body_is_not_read() -> None:
    async def scenario() -> None:
        async with world(allow="") as w:
            body = "x" * 300_000
            head = f"POST http://10.0.0.1/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client = await w.client(head + body)
            await client.writer.drain()
            client.writer.write_eof()

            assert b"is refused: private address" in await client.all()

    run(scenario)


def test_a_request_that_does_not_come_to_its_end_is_given_up_on() -> None:
    async def scenario() -> None:
        async with world(caps=Caps(head_s=0.2)) as w:
            client = await w.client("GET http://a.example/ HTTP/1.1\r\nX-Slow: ")

            assert (await client.head()).startswith("HTTP/1.1 408 ")

    run(scenario)


def test_a_connection_that_carries_nothing_is_ended() -> None:
    async def scenario() -> None:
        async with world(caps=Caps(idle_s=0.2)) as w:
            site = await w.site(reads_to_end=True)
            client = await w.client(f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\nHost: x\r\n\r\n")

            await client.head()

            with suppress(ConnectionResetError):
                assert await client.all() == b""

    run(scenario)


def test_a_connection_that_carries_more_than_its_cap_is_ended() -> None:
    async def scenario() -> None:
        async with world(caps=Caps(bytes_each=1_000_000)) as w:
            site = await w.site(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000)
            client = await w.client(f"GET http://127.0.0.1:{site.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")

            received = b""
            with suppress(ConnectionResetError):
                received = await client.all()

            assert len(received) <= 1_000_000

    run(scenario)


def test_connections_over_the_cap_wait_for_their_turn() -> None:
    async def scenario() -> None:
        async with world(caps=Caps(connections=2)) as w:
            site = await w.site(reads_to_end=True)
            tunnel = f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\nHost: x\r\n\r\n"
            held = [await w.client(tunnel) for _ in range(2)]
            for client in held:
                await client.head()
            third = await w.client(tunnel)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(third.head(), 0.2)

            held[0].writer.write_eof()
            await held[0].all()
            held[0].writer.close()

            assert (await third.head()).startswith("HTTP/1.1 200 ")

    run(scenario)


def test_closing_the_gate_cuts_what_is_under_way_and_refuses_what_comes() -> None:
    async def scenario() -> None:
        async with world() as w:
            site = await w.site(reads_to_end=True)
            tunnel = f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\nHost: x\r\n\r\n"
            client = await w.client(tunnel)
            await client.head()

            w.proxy.close_gate()

            with suppress(ConnectionResetError):
                assert await client.all() == b""
            assert "is refused: the manifest and `build_steps` run without a network" in await w.ask(tunnel)

    run(scenario)


def test_a_gate_is_open_only_after_the_first_work_and_never_while_a_plugin_is_built() -> None:
    class Watched:
        is_open = False

        def open_gate(self) -> None:
            self.is_open = True

        def close_gate(self) -> None:
            self.is_open = False

    proxy = Watched()
    gate, seen = Gate(proxy), []  # type: ignore[arg-type]
    for verb in ("health", "describe", "build", "warmup", "health", "predict", "build", "run", "describe"):
        with gate.during(verb):
            seen.append((verb, proxy.is_open))

    assert seen == [
        ("health", False), ("describe", False), ("build", False), ("warmup", True), ("health", True), ("predict", True),
        ("build", False), ("run", True), ("describe", False),
    ]  # fmt: skip
    assert proxy.is_open


def test_ten_megabytes_pass_whole_and_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    content = os.urandom(1_000_000) * 10

    async def scenario() -> None:
        async with world() as w:
            site = await w.site(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + content)
            client = await w.client(f"GET http://127.0.0.1:{site.port}/ HTTP/1.1\r\nHost: x\r\n\r\n")

            await client.head()

            assert await client.all() == content

    caplog.set_level("INFO")
    run(scenario)
    assert "1 connections, " in caplog.text
    assert "100000" in caplog.text.rpartition("B sent, ")[2]


def test_closing_leaves_no_descriptor_behind() -> None:
    async def scenario() -> None:
        before = _descriptors()
        async with world() as w:
            site = await w.site(reads_to_end=True)
            for _ in range(5):
                client = await w.client(f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\nHost: x\r\n\r\n")
                await client.head()
            await w.client("GET http://half")
            w.open[-1].transport.abort()
            assert _descriptors() > before
        await asyncio.to_thread(until, lambda: _descriptors() <= before, what="all is closed", within_s=5)

    run(scenario)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_handed_over_listener_is_one_or_nothing() -> None:
    async def receive(give: Callable[[int], None]) -> socket.socket | None:
        handover = Handover()
        try:
            give(os.dup(handover.child_fd))
            return await handover.receive()
        finally:
            handover.close()

    def give_what_is_no_listener(fd: int) -> None:
        with socket.socket(fileno=fd) as parent, Path("/dev/null").open() as file, socket.socket() as idle:
            socket.send_fds(parent, [b"x"], [file.fileno() if give_file else idle.fileno()])

    async def scenario() -> None:
        nonlocal give_file
        assert await receive(os.close) is None
        assert await receive(give_what_is_no_listener) is None
        give_file = True
        assert await receive(give_what_is_no_listener) is None
        listener = await receive(hand_over)
        assert listener is not None
        with listener:
            assert listener.getsockname()[0] == "127.0.0.1"

    give_file = False
    run(scenario)


def test_this_machines_addresses_are_known_as_its_own_and_others_are_not() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.254", 9))
        outward = ip_address(probe.getsockname()[0])

    assert is_own(LOOPBACK)
    assert is_own(outward)
    assert not is_own(ip_address("8.8.8.8"))
    assert not is_own(ip_address("2606:4700:4700::1111"))
