"""The host's end of the way out: a listener on this network namespace's own loopback, handed to who started the host.

A socket stays in the namespace it was made in, whoever accepts on it. So the proxy itself, outside, answers here, and
nothing of it runs beside plugin code.
"""

from __future__ import annotations

import socket

PROXY_ADDRESS = ("127.0.0.1", 3128)
_WAITING = 128


def hand_over(fd: int) -> None:
    """Make the listener and send it over the socket `fd`, keeping neither."""
    with socket.socket(fileno=fd) as parent, socket.create_server(PROXY_ADDRESS, backlog=_WAITING) as listener:
        socket.send_fds(parent, [b"listener"], [listener.fileno()])
