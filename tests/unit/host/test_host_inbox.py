"""How a host waits for its next request: on the spot for a lone caller's, asleep for everybody else's."""

from __future__ import annotations

import itertools
import socket

import pytest

from mixpeek.host.frames import frame
from mixpeek.host.inbox import Inbox

LONE, OTHER = frame(b'{"id":1,"verb":"infer","lone":true}', b"{}"), frame(b'{"id":1,"verb":"infer"}', b"{}")


class Caller(socket.socket):
    """A host's end of its socket, whose caller sends the next requests when the host looks out for them, or only later.

    Args: requests: what it sends at once. is_prompt: whether they are there at the host's first look; else
    they come once it sleeps.
    """

    def __init__(self, requests: bytes = LONE, *, is_prompt: bool = True) -> None:
        ours, self._other = socket.socketpair()
        super().__init__(ours.family, ours.type, ours.proto, fileno=ours.detach())
        self._requests = requests
        self._is_prompt = is_prompt
        self.is_looking = False
        self.looks: list[bool] = []

    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        is_asleep = not flags & socket.MSG_DONTWAIT
        if is_asleep or (self._is_prompt and not self.is_looking):
            self._other.sendall(self._requests)
        self.is_looking = not is_asleep
        try:
            size = super().recv_into(buffer, nbytes, flags)
        except BlockingIOError:
            self.looks.append(True)
            raise
        self.looks.append(not is_asleep)
        self.is_looking = False
        return size

    def close(self) -> None:
        self._other.close()
        super().close()


def looks_before_sleeping(caller: Caller, requests: int) -> list[bool]:
    """Return for each time the host waited whether it looked out before, or instead of, sleeping."""
    inbox = Inbox(caller, lambda _: None, lambda: None)
    waits = []
    for _ in range(requests):
        caller.looks.clear()
        inbox.fill()
        inbox.waiting.clear()
        waits.append(any(caller.looks))
    return waits


@pytest.mark.parametrize("requests", [LONE, OTHER, LONE + OTHER])
def test_only_a_lone_callers_next_request_is_looked_out_for(requests: bytes) -> None:
    with Caller(requests) as caller:
        waits = looks_before_sleeping(caller, 30)

    assert waits == ([False] * 8 + [True] * 22 if requests == LONE else [False] * 30)


def test_a_caller_that_comes_too_late_is_looked_out_for_ever_more_seldom() -> None:
    with Caller(is_prompt=False) as caller:
        waits = looks_before_sleeping(caller, 8 + 63)

    between = [len(list(group)) for is_looked, group in itertools.groupby(waits[8:]) if not is_looked]
    assert between == [1, 3, 7, 15, 31]
