"""Connections to a server that answers directly: their order, their limits, their end."""

from __future__ import annotations

import gc
import time
import weakref

import orjson
import pytest

from factories.direct_servers import BODY, KEEP_ALIVE_S, Client, Servers, ask, request
from factories.waiting import until
from mixpeek.server import responses


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
@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 the first words of TLS",
        request(BODY, "transfer-encoding: 0"),
        request(BODY, "transfer-encoding: chunked"),
    ],
)
def test_what_is_no_http_is_refused_in_the_envelope(servers: Servers, way: str, sent: bytes) -> None:
    client = Client(servers.ports[way])
    with client.socket:
        client.send(sent)
        answer = client.read()
        assert client.is_closed()

    assert answer.startswith(b"HTTP/1.1 400 "), answer[:60]
    told = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    assert (told["success"], told["status"], told["error"]["code"]) == (False, 400, "request.not_http")
    assert told["error"]["details"]["request_id"].encode() in answer.partition(b"\r\n\r\n")[0]


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
        idle.send(request()[:40])
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
