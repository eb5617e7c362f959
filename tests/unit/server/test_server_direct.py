"""Inference requests answered within the HTTP protocol, beside the ASGI route they take otherwise: the same bytes."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.direct_servers import BODY, MOST_BYTES, Client, Servers, ask, one_by_one, request
from factories.waiting import until
from mixpeek.errors import PluginRaised


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
