"""How the two ends of a new socket know each other: both show that they hold one token, without sending it.

What follows is not encrypted, as within a cluster's own network; nobody without the token is answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
from typing import Literal, get_args

Role = Literal["control", "calls", "asking"]

ROLES: tuple[Role, ...] = get_args(Role)
TOKEN_BYTES = 32
# An end that has not shown itself by then is no end of ours.
HANDSHAKE_S = 10.0

_NONCE_BYTES = 32
_PROOF_BYTES = hashlib.sha256().digest_size


class NotOurs(ConnectionError):
    """The other end of a socket does not hold the token."""


async def introduce(sock: socket.socket, role: Role, token: bytes) -> None:
    """Say what a connected socket is for; raise NotOurs, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(HANDSHAKE_S):
        theirs, ours = await _read(sock, _NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
        number = bytes([ROLES.index(role)])
        await loop.sock_sendall(sock, number + ours + _proof(token, b"asks", number, theirs, ours))
        if not hmac.compare_digest(await _read(sock, _PROOF_BYTES), _proof(token, b"answers", number, theirs, ours)):
            raise NotOurs("The other end of a host's socket does not hold its token")


async def admit(sock: socket.socket, token: bytes) -> Role:
    """Return what an accepted socket is for; raise NotOurs, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(HANDSHAKE_S):
        ours = secrets.token_bytes(_NONCE_BYTES)
        await loop.sock_sendall(sock, ours)
        said = await _read(sock, 1 + _NONCE_BYTES + _PROOF_BYTES)
        number, theirs, proof = said[:1], said[1 : 1 + _NONCE_BYTES], said[1 + _NONCE_BYTES :]
        if not hmac.compare_digest(proof, _proof(token, b"asks", number, ours, theirs)) or number[0] >= len(ROLES):
            raise NotOurs("Somebody without the token connected to a host's socket")
        await loop.sock_sendall(sock, _proof(token, b"answers", number, ours, theirs))
    return ROLES[number[0]]


def _proof(token: bytes, *parts: bytes) -> bytes:
    return hmac.digest(token, b"".join(parts), "sha256")


async def _read(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    read = b""
    while len(read) < size:
        piece = await loop.sock_recv(sock, size - len(read))
        if not piece:
            raise NotOurs("The other end of a host's socket closed it")
        read += piece
    return read
