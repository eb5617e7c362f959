"""The proxy of one host: answers on the listener the host handed over, while its gate is open.

One request per connection: a tunnel (CONNECT), or a plain one that is sent on and told to be the last. So every
request is judged, whatever was judged before it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket

from mixpeek.execution.egress.addresses import Address
from mixpeek.execution.egress.dial import Dialer, Resolve, Unreachable, resolve_name
from mixpeek.execution.egress.heads import Destination, HeadInvalid, HeadReader, Request, refusal
from mixpeek.execution.egress.policy import EgressPolicy, Refused
from mixpeek.execution.egress.tunnel import Caps, Stream, Traffic, join

log = logging.getLogger(__name__)

_ACCEPT_AGAIN_S = 1.0
_OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_CLOSED = "the manifest and `build_steps` run without a network; make the call where rows are processed"
# Destinations told apart in the log, per host: a plugin can fill neither the log nor the memory.
_DESTINATIONS = 100


class Proxy:
    """Serves one host; `label` says in the log whose it is."""

    def __init__(
        self, policy: EgressPolicy, label: str, *, caps: Caps | None = None, resolve: Resolve = resolve_name
    ) -> None:
        self._caps = caps or Caps()
        self._dialer = Dialer(policy, resolve)
        self._label = label
        self._is_open = False
        self._slots = asyncio.Semaphore(self._caps.connections)
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._traffic: dict[str, Traffic] = {}
        self._refused: set[str] = set()

    def serve(self, listener: socket.socket) -> None:
        """Begin to answer on a listening, non-blocking socket, which then belongs to the proxy."""
        self._accepting = asyncio.create_task(self._accept(listener))

    def open_gate(self) -> None:
        """Let requests through."""
        self._is_open = True

    def close_gate(self) -> None:
        """Refuse requests from now on, and cut those under way."""
        self._is_open = False
        for task in self._serving:
            task.cancel()

    async def close(self) -> None:
        """End the listener and every connection, and log what was carried."""
        tasks = [*self._serving, *([self._accepting] if self._accepting else [])]
        self._accepting = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._dialer.close()
        for shown, traffic in self._traffic.items():
            told = f"{traffic.connections} connections, {traffic.sent} B sent, {traffic.received} B received"
            log.info("egress of %s to %s: %s", self._label, shown, told)
        self._traffic.clear()

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                # Over the cap a host's connections wait in the listener's own queue, at no cost here.
                await self._slots.acquire()
                try:
                    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                except OSError as error:
                    self._slots.release()
                    log.warning("egress of %s: cannot accept, trying again: %s", self._label, error)
                    await asyncio.sleep(_ACCEPT_AGAIN_S)
                    continue
                task = asyncio.create_task(self._serve(connection))
                self._serving.add(task)
                task.add_done_callback(functools.partial(self._end, connection))

    def _end(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        connection.close()
        self._serving.discard(task)
        self._slots.release()

    async def _serve(self, connection: socket.socket) -> None:
        plugin = await Stream.of(connection)
        try:
            await self._answer(plugin)
            await plugin.finish(self._caps.linger_s)
        except OSError as error:  # a time limit too: whoever was to be told has gone, or says nothing
            log.debug("egress of %s: %s", self._label, error)
        except Exception:
            # The edge of a connection: nothing a plugin or a server sends may end more than itself.
            log.exception("egress of %s: a connection failed", self._label)
        finally:
            plugin.abort()

    async def _answer(self, plugin: Stream) -> None:
        try:
            request = await self._read_request(plugin)
        except HeadInvalid as error:
            await self._refuse(plugin, 400, f"egress is refused: {error}")
            return
        except TimeoutError:
            await self._refuse(plugin, 408, f"egress is refused: no whole request came within {self._caps.head_s:g} s")
            return
        if request is None:
            return
        try:
            server = await self._connect(request.destination)
        except Refused as error:
            await self._turn_away(plugin, request.destination, 403, f"is refused: {error}", error.address)
        except Unreachable as error:
            await self._turn_away(plugin, request.destination, 502, f"failed: {error}")
        else:
            try:
                await self._forward(plugin, server, request)
            finally:
                server.abort()

    async def _connect(self, destination: Destination) -> Stream:
        if not self._is_open:
            raise Refused(_CLOSED)
        return await Stream.of(await self._dialer.dial(destination))

    async def _forward(self, plugin: Stream, server: Stream, request: Request) -> None:
        traffic = self._traffic_to(request.destination)
        traffic.connections += 1
        if request.head is None:
            plugin.writer.write(_OPENED)
        first = (request.head or b"") + request.rest
        traffic.sent += len(first)
        async with asyncio.timeout(self._caps.idle_s):
            await server.send(first)
        await join(plugin, server, traffic, self._caps, plain=request.head is not None)
        await server.finish(self._caps.linger_s)

    def _traffic_to(self, destination: Destination) -> Traffic:
        shown = str(destination)
        if shown not in self._traffic and len(self._traffic) >= _DESTINATIONS:
            shown = "further destinations"
        return self._traffic.setdefault(shown, Traffic())

    async def _turn_away(
        self, plugin: Stream, destination: Destination, status: int, why: str, address: Address | None = None
    ) -> None:
        told = f"egress to {destination} {why}"
        if told not in self._refused and len(self._refused) < _DESTINATIONS:
            self._refused.add(told)
            last = "; further refusals of this host are not logged" if len(self._refused) == _DESTINATIONS else ""
            log.warning("%s: %s%s%s", self._label, told, f" ({address})" if address else "", last)
        await self._refuse(plugin, status, told)

    async def _read_request(self, plugin: Stream) -> Request | None:
        reader = HeadReader()
        async with asyncio.timeout(self._caps.head_s):
            async for data in plugin.chunks():
                request = reader.feed(data)
                if request is not None:
                    return request
        return None

    async def _refuse(self, plugin: Stream, status: int, reason: str) -> None:
        await plugin.send(refusal(status, reason))
        plugin.writer.write_eof()
        # Closing on bytes still unread would reset the connection, and with it take the answer away.
        async with asyncio.timeout(self._caps.linger_s):
            async for _ in plugin.chunks():
                pass
