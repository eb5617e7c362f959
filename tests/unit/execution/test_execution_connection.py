"""The server's end of a host's socket: what a reply to a posted request may bring."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from mixpeek.errors import InvalidRequest, PluginError, PluginReplyInvalid, PluginTimedOut, ServiceUnavailable
from mixpeek.execution import connection as connections
from mixpeek.execution.connection import Connection
from mixpeek.host import frames
from mixpeek.host.frames import MAX_REPLY_BYTES, MAX_REPLY_CONTAINERS, frame

REPLY = b'{"id":1,"ok":true,"result":1}'


async def answered(*, reply: bytes, posts: int = 1) -> list[object]:
    """Return how posted requests end, in order, when a host sends `reply`; the last element is why it was ended."""
    broken: list[PluginError] = []
    connection = Connection(broken.append)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, sock=ours)
    futures: list[asyncio.Future[connections.Answer]] = [loop.create_future() for _ in range(posts)]
    for future in futures:
        connection.post(b"{}", future, alone=False, timeout_s=5)
    theirs.setblocking(False)
    sending = asyncio.ensure_future(loop.sock_sendall(theirs, reply))
    ends = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)
    sending.cancel()
    connection.fail(PluginError("over"))
    theirs.close()
    return [*ends, broken[0] if broken else None]


def test_a_result_comes_as_the_bytes_that_the_host_sent() -> None:
    assert asyncio.run(answered(reply=frame(REPLY, b'{"a": 1}'))) == [(1, b'{"a": 1}'), None]


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (b"\x1d\0\0\0" + (MAX_REPLY_BYTES + 1).to_bytes(4, "little"), "over the limit"),
        (frame(REPLY, b"[" * (MAX_REPLY_CONTAINERS + 1)), "over the limit"),
        (frame(b'{"id":2,"ok":true,"result":1}', b"1"), "does not wait"),
        (frame(b'{"id":1,"ok":true,"result":NaN}', b"1"), "not strict JSON"),
    ],
)
def test_a_reply_over_the_caps_or_out_of_order_ends_the_host_and_every_request(reply: bytes, fault: str) -> None:
    ends = asyncio.run(answered(reply=reply, posts=2))

    assert all(isinstance(end, PluginReplyInvalid) and fault in end.message for end in ends), ends


def test_more_requests_than_a_host_can_take_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_WAITING_CALLS", 1)

    first, second, broken = asyncio.run(answered(reply=frame(REPLY, b"1"), posts=2))

    assert (first, broken) == ((1, b"1"), None)
    assert isinstance(second, ServiceUnavailable)


def test_a_body_over_one_frame_is_refused_and_the_requests_beside_it_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ends() -> list[object]:
        broken: list[PluginError] = []
        connection = Connection(broken.append)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, sock=ours)
        large, small = loop.create_future(), loop.create_future()
        connection.post(b"[" * 101, large, alone=False, timeout_s=5)
        connection.post(b"{}", small, alone=False, timeout_s=5)
        theirs.sendall(frame(b'{"id":2,"ok":true,"result":1}', b"7"))
        heard = await asyncio.wait_for(asyncio.gather(large, small, return_exceptions=True), 5)
        connection.fail(PluginError("over"))
        theirs.close()
        return [*heard, *broken]

    monkeypatch.setattr(frames, "MAX_BODY_BYTES", 100)
    refused, *others = asyncio.run(ends())

    assert isinstance(refused, InvalidRequest)
    assert "over the limit" in refused.message
    assert others == [(1, b"7")]


async def seconds_until_given_up(verb: str, kept_waiting_s: Callable[[float], float]) -> float:
    """Return how long a call of 0.1 s is waited for, given how long its host could not run, by the time that passed."""
    connection = Connection(lambda _: None)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, sock=ours)
    asked_at = loop.time()
    connection.allow_for(lambda: kept_waiting_s(loop.time() - asked_at))
    with pytest.raises(PluginTimedOut):
        await asyncio.wait_for(connection.ask(verb, {}, b"", 0.1), 5)
    theirs.close()
    return loop.time() - asked_at


@pytest.mark.parametrize("verb", ["run", "health"])
def test_a_call_is_given_the_time_that_its_host_was_kept_from_a_processor_meanwhile(verb: str) -> None:
    assert asyncio.run(seconds_until_given_up(verb, lambda passed_s: 7.0)) < 0.6
    assert asyncio.run(seconds_until_given_up(verb, lambda passed_s: 7.0 + min(passed_s, 0.5))) >= 0.6


def test_a_host_that_only_ever_waits_is_given_up_after_many_times_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_KEPT_WAITING", 9)

    assert asyncio.run(seconds_until_given_up("run", lambda passed_s: passed_s)) >= 1.0


class Listener:
    """Hears every end of a request, however many; on each it posts a further one, as a queue does."""

    def __init__(self, connection: Connection, next_one: Listener | None = None) -> None:
        self.heard: list[str] = []
        self.ended = asyncio.Event()
        self._connection = connection
        self._next = next_one

    def done(self) -> bool:
        return False

    def set_result(self, result: connections.Answer, /) -> None:
        raise AssertionError(f"no host answers here: {result!r}")

    def set_exception(self, exception: Exception, /) -> None:
        self.heard.append(type(exception).__name__)
        self.ended.set()
        if self._next is not None:
            self._connection.post(b"{}", self._next, alone=False, timeout_s=5)


async def expired() -> tuple[list[list[str]], list[str]]:
    """Return what three requests heard when the first ran out of time, then why the host was killed."""
    killed: list[str] = []
    connection = Connection(lambda end: killed.append(type(end).__name__))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    await asyncio.get_running_loop().create_connection(lambda: connection, sock=ours)
    late = Listener(connection)
    first, second = Listener(connection, next_one=late), Listener(connection)
    connection.post(b"{}", first, alone=False, timeout_s=0.01)
    connection.post(b"{}", second, alone=False, timeout_s=5)
    async with asyncio.timeout(5):
        await second.ended.wait()
    theirs.close()
    return [first.heard, second.heard, late.heard], killed


def test_a_call_that_runs_out_of_time_is_told_once_and_so_is_everyone_behind_it() -> None:
    heard, killed = asyncio.run(expired())

    assert heard == [["PluginTimedOut"], ["PluginCrashed"], ["PluginCrashed"]]
    assert killed == ["PluginCrashed"]
