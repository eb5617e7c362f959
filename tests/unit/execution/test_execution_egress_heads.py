"""What the proxy reads from a request's head, and what it refuses to read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.execution.egress.heads import (
    MAX_HEAD_BYTES,
    Destination,
    HeadInvalid,
    HeadReader,
    Request,
    closing_response_head,
    refusal,
)


def read(head: str) -> Request:
    request = HeadReader().feed(head.encode("latin-1"))
    assert request is not None
    return request


def test_a_tunnel_names_its_destination() -> None:
    request = read("CONNECT API.Example.com.:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n\x16\x03\x01")

    assert request == Request(Destination("api.example.com", 443), None, b"\x16\x03\x01")


def test_a_plain_request_is_sent_on_in_the_servers_own_form_and_as_the_only_one() -> None:
    request = read(
        "POST http://a.example:8080/v1?x=1#part HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: Basic eA==\r\n"
        "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n\r\n{}"
    )

    assert request.destination == Destination("a.example", 8080)
    assert request.rest == b"{}"
    assert request.head == (
        b"POST /v1?x=1 HTTP/1.1\r\nHost: a.example:8080\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_a_head_may_come_byte_by_byte() -> None:
    reader = HeadReader()
    head = b"GET http://[2606:4700::1]/ HTTP/1.1\r\nHost: x\r\n\r\n"

    answers = [reader.feed(head[at : at + 1]) for at in range(len(head))]

    assert [answer for answer in answers[:-1] if answer] == []
    assert answers[-1] is not None
    assert answers[-1].destination == Destination("2606:4700::1", 80)


@pytest.mark.parametrize(
    "target",
    [
        "CONNECT good.example@169.254.169.254:80", "CONNECT user:word@a.example:443", "CONNECT a.example",
        "CONNECT a.example:", "CONNECT a.example:0", "CONNECT a.example:65536", "CONNECT a.example:+80",
        "CONNECT a.example:443:443", "CONNECT a.example:99999999999", "CONNECT ::1:80", "CONNECT [::1:80",
        "CONNECT [fe80::1%25lo]:80", "CONNECT [127.0.0.1]x:80", "CONNECT a%00.example:80", "CONNECT http://a.example:80",
        "CONNECT /etc/passwd:80", "GET /", "GET *", "GET https://a.example/", "GET ftp://a.example/",
        "GET http://", "GET http://good.example@127.0.0.1/", "GET http://good.example:80\\@127.0.0.1/",
        "GET http:///path", "GET http://a.example:http/",
    ],
)  # fmt: skip
def test_a_target_of_another_form_is_refused(target: str) -> None:
    with pytest.raises(HeadInvalid):
        read(f"{target} HTTP/1.1\r\nHost: a.example\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\n\r\n",
        "GET  http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nX: " + "x" * MAX_HEAD_BYTES,
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(head: str) -> None:
    with pytest.raises(HeadInvalid):
        read(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    reader = HeadReader()

    try:
        request = reader.feed(b"CONNECT " + data + b"\r\n\r\n")
    except HeadInvalid:
        return
    assert request is None or (0 < request.destination.port < 65536 and "@" not in request.destination.host)


def test_a_response_is_said_to_be_the_connections_last() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5"

    assert closing_response_head(head) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close"


def test_a_refusal_says_its_reason_where_clients_quote_it_and_cannot_be_broken_out_of() -> None:
    response = refusal(403, "egress to a\r\nSet-Cookie: x is refused: é")

    status, _, rest = response.partition(b"\r\n")
    assert status == b"HTTP/1.1 403 egress to a??Set-Cookie: x is refused: ?"
    assert rest.endswith(b"\r\n\r\negress to a??Set-Cookie: x is refused: ?\n")
