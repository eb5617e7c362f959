"""Bytes written and read at once, beside a transport: none lost, none out of order, and no long wait for nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from factories.waiting import until
from mixpeek.execution import prompt
from mixpeek.execution.prompt import LINGER_S, Lingerer, leave_processor_of, write_now


class Transport:
    """What a transport would still have to write."""

    def __init__(self, waiting: bytes = b"") -> None:
        self.waiting = waiting

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def write(self, data: bytes) -> None:
        self.waiting += data


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def give(transport: Any, own: socket.socket, data: bytes) -> None:
    write_now(transport, own.fileno(), data)


def test_what_can_be_written_is_written_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    transport = Transport()

    give(transport, pair[0], b"frame")

    assert (transport.waiting, pair[1].recv(100)) == (b"", b"frame")


def test_nothing_overtakes_what_waits_in_the_transport(pair: tuple[socket.socket, socket.socket]) -> None:
    transport = Transport(b"first ")

    give(transport, pair[0], b"second")

    assert transport.waiting == b"first second"


def test_what_does_not_fit_is_left_to_the_transport_and_so_is_an_end(pair: tuple[socket.socket, socket.socket]) -> None:
    transport, much = Transport(), bytes(range(256)) * 8192

    give(transport, pair[0], much)
    pair[1].setblocking(False)
    arrived = b""
    while len(arrived) < len(much) - len(transport.waiting):
        arrived += pair[1].recv(1 << 20)
    pair[1].close()
    give(gone := Transport(), pair[0], b"x")

    assert 0 < len(transport.waiting) < len(much)
    assert arrived + transport.waiting == much
    assert gone.waiting == b"x"


def test_what_is_there_already_is_heard_in_pieces_until_it_is_enough(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "LINGER_S", 5.0)
    heard: list[bytes] = []
    pair[1].sendall(b"one")

    def hear(data: memoryview) -> bool:
        heard.append(bytes(data))
        if len(heard) == 1:
            pair[1].sendall(b"two")
        return len(heard) == 2

    Lingerer().read(pair[0].fileno(), hear)

    assert heard == [b"one", b"two"]


def test_who_never_answers_in_time_is_waited_for_ever_more_seldom(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    lingerer, waits = Lingerer(), 0
    clock = time.perf_counter

    def count() -> float:
        nonlocal waits
        waits += 1
        return clock() + waits * LINGER_S  # each look is a wait in itself

    monkeypatch.setattr(time, "perf_counter", count)
    for _ in range(1000):
        lingerer.read(pair[0].fileno(), lambda _: True)

    assert waits < 40


def test_an_end_is_left_for_the_loop_to_meet(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()

    Lingerer().read(pair[0].fileno(), lambda _: pytest.fail("nothing was sent"))

    assert os.read(pair[0].fileno(), 1) == b""


@pytest.fixture
def own_processors() -> Iterator[set[int]]:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("there is one processor: nothing to choose from")
    yield allowed
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def busy_on() -> Iterator[Callable[[int], int]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(processor: int) -> int:
        code = f"import os; os.sched_setaffinity(0, {{{processor}}}); print(flush=True)\nwhile True: pass"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_who_waits_leaves_the_processor_of_whom_it_waits_for(
    own_processors: set[int], busy_on: Callable[[int], int]
) -> None:
    here, *_ = own_processors
    pid = busy_on(here)

    def leaves() -> bool:
        os.sched_setaffinity(0, {here})
        os.sched_setaffinity(0, own_processors)  # from here on the kernel may have moved this thread itself
        return leave_processor_of(pid)

    until(leaves, what="both are on one processor")
    assert os.sched_getaffinity(0) == own_processors
    os.sched_setaffinity(0, {here})
    assert not leave_processor_of(pid), "there is no other that it may go on on"
    assert os.sched_getaffinity(0) == {here}


def test_who_waits_stays_where_it_is_beside_one_on_another_processor_and_one_that_has_ended(
    own_processors: set[int], busy_on: Callable[[int], int]
) -> None:
    here, there, *_ = own_processors
    os.sched_setaffinity(0, {here})

    assert not leave_processor_of(busy_on(there))
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not leave_processor_of(ended.pid)


def test_who_was_not_heard_in_time_is_given_its_processor(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    monkeypatch.setattr(prompt, "leave_processor_of", left.append)

    Lingerer(apart_from=17).read(pair[0].fileno(), lambda _: True)
    pair[1].sendall(b"at once")
    Lingerer(apart_from=18).read(pair[0].fileno(), lambda _: True)

    assert left == [17]
