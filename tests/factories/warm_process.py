"""A process that has loaded the `mixpeek` command, and forks whenever it is to be run: see `factories.commands`.

Loading it takes a third of a second of processor time, and tests run it some hundreds of times. What runs is a process
of its own as ever, with the surroundings, the folder and the streams of whoever asked for it.

Usage: warm_process.py SOCKET; it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys

# What most commands load. Nothing that starts a thread, which no fork would take along.
LOADED = (
    "httpcore",
    "mixpeek.cli.app",
    "mixpeek.cli.bucket",
    "mixpeek.cli.collection",
    "mixpeek.cli.documents",
    "mixpeek.cli.plugin",
    "mixpeek.cli.session",
    "mixpeek.client.sync",
    "mixpeek.contract.manifest",
    "mixpeek.inspection.scan",
)
# What the asking side runs, in place of the command: it hands over all that a process is started with.
ASKING = """\
#!{python} -IS
import _socket, os, sys
line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
line.connect({place!r})
told = [os.getcwd(), str(len(sys.argv)), *sys.argv, *(name + "=" + value for name, value in os.environ.items())]
text = "\\0".join(told).encode("utf-8", "surrogateescape")
streams = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2))
line.sendmsg([len(text).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
line.sendall(text)
os._exit(line.recv(1)[0])
"""


def serve(listener: socket.socket) -> list[str] | None:
    """Fork for whoever asks: return the command line in the process that is to run it, None once nobody will ask."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return None
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return answer(line)
        line.close()


def answer(line: socket.socket) -> list[str]:
    """Fork the command, tell its exit status and end; end it where who asked has ended. Returns in its process."""
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as reading:
        text = reading.read(int.from_bytes(size, "big")).decode("utf-8", "surrogateescape")
    folder, count, *rest = text.split("\0")
    arguments, variables = rest[: int(count)], rest[int(count) :]
    command = os.fork()
    if command == 0:
        line.close()
        for fd, stream in enumerate(streams):
            os.dup2(stream, fd)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variable.split("=", 1) for variable in variables)
        return arguments
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    ready, _, _ = select.select([ended, line], [], [])
    if ended not in ready:
        os.kill(command, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        line.sendall(bytes([status % 256]))
    os._exit(0)


def main(place: str) -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        print(flush=True)
        arguments = serve(listener)
    if arguments is not None:
        sys.argv = arguments
        from mixpeek.__main__ import main

        main()


if __name__ == "__main__":
    main(sys.argv[1])
