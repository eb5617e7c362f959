"""Connections for an HTTP client, each to an address that was judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore

from mixpeek.execution.egress.dial import Dialer
from mixpeek.execution.egress.heads import Destination


class JudgedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, has its addresses judged, and connects to one that was; TLS still asks for the name."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class names it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        chosen = await self._dialer.choose(Destination(host.strip("[]").lower().rstrip("."), port))
        for place, address in enumerate(chosen, start=1):
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(chosen):
                    raise
        raise httpcore.ConnectError("the name has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
