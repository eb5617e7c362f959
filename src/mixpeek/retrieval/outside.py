"""Requests to other servers: every address they lead to is judged first; redirects are not followed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping

import httpcore

from mixpeek.errors import RequestError
from mixpeek.execution.egress.backend import JudgedBackend
from mixpeek.execution.egress.dial import Dialer
from mixpeek.execution.egress.policy import EgressPolicy, Refused
from mixpeek.retrieval.context import HttpAnswer

_LOOKUPS_AT_ONCE = 8


class OutsideFailed(RequestError):
    """Another server did not answer as it should."""

    code = "retriever.outside_failed"
    hint = 'Write `"on_error": "skip"` to go on without it'


class OutsideCaller:
    """Calls from worker threads; the connections live on the server's loop."""

    def __init__(self, policy: EgressPolicy, loop: asyncio.AbstractEventLoop) -> None:
        self._policy = policy
        self._loop = loop
        self._pool: httpcore.AsyncConnectionPool | None = None

    def __call__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        timeout_s: float,
        most_bytes: int,
    ) -> HttpAnswer:
        if not self._policy.enabled:
            raise OutsideFailed("This server calls no other: MIXPEEK_EGRESS is `off`")
        call = self._send(method, url, headers, body, timeout_s, most_bytes)
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within_s: float, most_bytes: int
    ) -> HttpAnswer:
        if self._pool is None:
            dialer = Dialer(self._policy, lookups_at_once=_LOOKUPS_AT_ONCE)
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=_trust(), max_keepalive_connections=0, network_backend=JudgedBackend(dialer)
            )
        try:
            async with asyncio.timeout(within_s):
                named = [(name.encode(), value.encode()) for name, value in headers.items()]
                async with self._pool.stream(method, url, headers=named, content=body) as answer:
                    parts, size = [], 0
                    async for part in answer.aiter_stream():
                        size += len(part)
                        if size > most_bytes:
                            raise OutsideFailed(f"The answer is larger than {most_bytes:,} bytes")
                        parts.append(part)
                    return HttpAnswer(answer.status, b"".join(parts))
        except TimeoutError as fault:
            raise OutsideFailed(f"There was no whole answer within {within_s:g} s") from fault
        except Refused as refused:
            raise OutsideFailed(
                f"The address is refused: {refused}", hint="The operator can allow it with MIXPEEK_EGRESS_ALLOW"
            ) from refused
        except (
            OSError,
            UnicodeError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
        ) as fault:
            kind = "its name cannot be resolved" if isinstance(fault, socket.gaierror) else str(fault)
            raise OutsideFailed(f"The server cannot be reached: {kind or type(fault).__name__}") from fault


def _trust() -> ssl.SSLContext:
    import httpx  # slow to load; who calls nobody does without

    return httpx.create_ssl_context()
