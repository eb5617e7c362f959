"""One attempt: a signed POST to an address that was judged, read as far as is of use. Knows nothing of the database."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping

import httpcore

from mixpeek.execution.egress.backend import JudgedBackend
from mixpeek.execution.egress.dial import Dialer
from mixpeek.execution.egress.policy import EgressPolicy, Refused
from mixpeek.text import storable
from mixpeek.webhooks.models import Outcome

# Of an answer so much is kept, and so much read: what a receiver says is of use to a person, not to us.
RESPONSE_BYTES = 1024
# A name server that does not answer holds one of these, so that it delays deliveries to its own names only.
_LOOKUPS_AT_ONCE = 32
_MOST_RETRY_AFTER_S = 86_400


class Sender:
    """Sends requests; each has a connection of its own, so that none fails by what another has left behind."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._dialer = Dialer(policy, lookups_at_once=_LOOKUPS_AT_ONCE)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trust(),
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=JudgedBackend(self._dialer),
        )

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Outcome:
        """Send a POST; whatever goes wrong is an outcome. Redirects are answers like any other, not followed."""
        begun = time.monotonic()
        status: int | None = None
        response: str | None = None
        retry_after_s: float | None = None
        try:
            # One limit for all of it: a receiver that sends a byte now and then is slow too.
            async with asyncio.timeout(timeout_s):
                named = [(name.encode(), value.encode()) for name, value in headers.items()]
                async with self._pool.stream("POST", url, headers=named, content=body) as answer:
                    status = answer.status
                    fields = {name.lower(): value for name, value in answer.headers}
                    retry_after_s = _seconds(fields.get(b"retry-after", b""))
                    response = await _beginning(answer)
                    error = _fault_of(status, fields.get(b"location", b""))
        except TimeoutError:
            error = f"no whole answer within {timeout_s:g} s"
        except Refused as refused:
            error = f"the address is refused: {refused}"
        except socket.gaierror as fault:
            error = f"the name cannot be resolved ({fault.strerror})"
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            OSError,
            UnicodeError,
        ) as fault:
            error = storable(f"it cannot be reached ({str(fault) or type(fault).__name__})")
        duration_ms = round((time.monotonic() - begun) * 1000)
        return Outcome(status, error, response, duration_ms, retry_after_s)

    async def close(self) -> None:
        """Close what is open."""
        self._dialer.close()
        await self._pool.aclose()


def _trust() -> ssl.SSLContext:
    import httpx  # slow to load; who sends nothing does without

    return httpx.create_ssl_context()


async def _beginning(answer: httpcore.Response) -> str:
    read = bytearray()
    async for block in answer.aiter_stream():
        read += block
        if len(read) >= RESPONSE_BYTES:
            break
    return storable(bytes(read[:RESPONSE_BYTES]).decode(errors="replace"))


def _fault_of(status: int, location: bytes) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        where = f" to {location.decode('ascii', 'replace')[:200]}" if location else ""
        return f"it answered {status}{where}; redirects are not followed"
    return f"it answered {status}"


def _seconds(value: bytes) -> float | None:
    return min(float(value), _MOST_RETRY_AFTER_S) if value.isdigit() and len(value) < 10 else None
