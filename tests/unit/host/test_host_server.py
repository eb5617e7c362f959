"""The program that serves a plugin over one socket: when its replies leave, and what reads while a call lasts."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.waiting import until
from mixpeek.host.frames import FrameReader, encode, frame
from mixpeek.host.inbox import Inbox

# A host without its sandbox: the plugin below is our own.
PROGRAM = """
import socket, sys
from pathlib import Path
from mixpeek.host import records
from mixpeek.host.loader import PluginPackage
from mixpeek.host.server import Server

connection = socket.socket(fileno=int(sys.argv[1]))
server = Server(connection, PluginPackage(Path(sys.argv[2]), "plugin"), records.install())
"""
SERVE = "server.serve()"
# Lets each reply go as soon as it is there, as the second reader may, and leaves that one time to answer for health.
SERVE_EAGERLY = """
import time

class Eager(list):
    def append(self, reply):
        super().append(reply)
        server._flush()
        time.sleep(0.3)

server._unsent = Eager()
server.serve()
"""
PLUGIN = """
import time

class RealtimeHandler:
    def predict(self, inputs):
        time.sleep(inputs)
        return inputs

    def predict_batch(self, inputs):
        return [self.predict(each) for each in inputs]
"""


class Host:
    """A host in a process of its own, and our end of its socket."""

    def __init__(self, folder: Path, serve: str = SERVE) -> None:
        (folder / "realtime.py").write_text(PLUGIN)
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(10)
        with theirs:
            command = [sys.executable, "-c", PROGRAM + serve, str(theirs.fileno()), str(folder)]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._reader = FrameReader()
        self._read: list[tuple[dict[str, Any], bytes]] = []

    def read(self) -> tuple[dict[str, Any], bytes]:
        while not self._read:
            data = self.socket.recv(65536)
            assert data, "the host has ended"
            self._read = self._reader.feed(data)
        return self._read.pop(0)

    def end(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait(10)

    def ask(self, *seconds: float) -> None:
        """Send requests in one piece; the plugin sleeps so long for each."""
        head = b'{"id":%d,"verb":"infer"}'
        self.socket.sendall(
            b"".join(frame(head % number, b'{"inputs":%g}' % each) for number, each in enumerate(seconds))
        )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.end()


def test_a_finished_reply_does_not_wait_for_a_long_call_behind_it(host: Host) -> None:
    host.ask(0)
    assert host.read()[1] == b"0"

    host.ask(0, 0, 0.6)
    began = time.monotonic()
    quick = [host.read()[1], host.read()[1]]
    after = time.monotonic() - began
    assert (quick, host.read()[1]) == ([b"0", b"0"], b"0.6")

    assert after < 0.35, "they came with the long call's own reply"
    assert time.monotonic() - began >= 0.6


def test_a_finished_reply_leaves_before_a_call_of_another_kind_begins(host: Host) -> None:
    host.ask(0)
    host.read()
    slow = encode({"id": 2, "verb": "predict", "inputs": 0.04})

    host.socket.sendall(frame(b'{"id":1,"verb":"infer"}', b'{"inputs":0}') + slow)
    first = host.socket.recv(65536)

    assert [header["id"] for header, _ in FrameReader().feed(first)] == [1]
    assert host.read()[0] == {"id": 2, "ok": True, "result": {"result": 0.04}}


def test_who_has_a_reply_is_told_of_a_host_that_has_given_it(tmp_path: Path) -> None:
    host = Host(tmp_path, SERVE_EAGERLY)
    try:
        host.ask(0.1)
        host.read()
        host.socket.sendall(encode({"id": 2, "verb": "health"}))
        health = host.read()[0]["result"]
    finally:
        host.end()

    assert health == {"busy": False, "waiting": 0, "answered": 1}


def test_health_is_answered_while_requests_of_a_failed_call_are_asked_again(host: Host) -> None:
    host.socket.sendall(encode({"id": 0, "verb": "warmup", "batch_size": 8}))
    assert host.read()[0]["result"] == {"batch_size": 8}
    host.ask(-1, 0.6)
    assert not host.read()[0]["ok"]

    host.socket.sendall(encode({"id": 2, "verb": "health"}))

    assert host.read()[0]["result"] == {"busy": True, "waiting": 0, "answered": 2}
    assert host.read()[1] == b"0.6"


class TakenSocket:
    """A socket from which somebody else has read, once, between the word that it is readable and the read."""

    def __init__(self, own: socket.socket) -> None:
        self._own = own
        self.was_taken = False

    def fileno(self) -> int:
        return self._own.fileno()

    def recv_into(self, *arguments: Any) -> int:
        if not self.was_taken:
            self.was_taken = True
            raise BlockingIOError
        return self._own.recv_into(*arguments)


def test_who_reads_beside_a_long_call_goes_on_when_the_other_reader_was_first() -> None:
    ours, theirs = socket.socketpair()
    heard = threading.Event()
    taken = TakenSocket(theirs)
    inbox = Inbox(taken, lambda _: heard.set(), lambda: None)  # type: ignore[arg-type]
    with ours, theirs:
        inbox.begin()
        ours.sendall(encode({"id": 1, "verb": "health"}))
        answered = heard.wait(5)
        inbox.end()
        # The end of a socket that it reads from would end the process.
        until(lambda: not inbox._is_used.is_set(), what="the second reader is at rest")

    assert taken.was_taken
    assert answered
