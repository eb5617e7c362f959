"""A connection that waits for the database as its caller does: a thread on the spot, code on the event loop with it."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait

from mixpeek import on_loop


class LoopConnection(psycopg.Connection[Any]):
    """psycopg's, which drives its own generators; here they may be driven by the event loop."""

    def wait(self, gen: PQGen[RV], *arguments: Any, **named: Any) -> RV:
        """See `psycopg.Connection.wait`."""
        if not on_loop.is_here():
            return super().wait(gen, *arguments, **named)
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(on_loop.wait_for(_ready(self.pgconn.socket, wanted)))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            self.close()  # in the middle of an answer that nobody reads
            raise


async def _ready(fd: int, wanted: Wait) -> Ready:
    """Return what a socket is ready for, of what is wanted."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Ready] = loop.create_future()

    def note(ready: Ready) -> None:
        if not came.done():
            came.set_result(ready)

    if wanted & Wait.R:
        loop.add_reader(fd, note, Ready.R)
    if wanted & Wait.W:
        loop.add_writer(fd, note, Ready.W)
    try:
        return await came
    finally:
        if wanted & Wait.R:
            loop.remove_reader(fd)
        if wanted & Wait.W:
            loop.remove_writer(fd)
