"""A plugin's log as it is read over HTTP: one page of it, or an endless stream of server-sent events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from mixpeek.api.paging import Page, wire_page
from mixpeek.api.platform import Platform
from mixpeek.db.pool import Connection
from mixpeek.errors import MixpeekError
from mixpeek.plugin_logs import queries
from mixpeek.plugin_logs.models import KeptLine, LogFilter, may_go_on
from mixpeek.tenancy.models import Principal

# Proxies close connections on which nothing moves.
HEARTBEAT_S = 15.0
_PAUSE_S = 1.0
_MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Reading:
    """One reader: which lines, and `check`, which raises when the reader may not, or no longer, read them."""

    platform: Platform
    wanted: LogFilter
    authorization: str | None
    check: Callable[[Connection, Principal], None]

    def latest(self, limit: int, before: int | None = None) -> list[KeptLine]:
        """Return the latest lines, or those before the line `before`; oldest first."""
        with self._checked() as connection:
            return queries.list_latest(connection, self.wanted, limit, before)

    def page(self, limit: int, before: int | None) -> dict[str, Any]:
        """Return the latest lines, or those before the line `before`, as a page of a list."""
        lines = self.latest(limit, before)
        first = str(lines[0].id) if lines else None
        wired = [line.wire() for line in lines]
        return wire_page(Page(limit, None), wired, first, is_full=may_go_on(lines, limit))

    def after(self, line_id: int) -> tuple[list[KeptLine], int]:
        """Return the lines behind a line, so many at most as are sent at once, and up to which line that was all."""
        with self._checked() as connection:
            # Asked first: what becomes visible in between is beyond it, and is returned, or is the next time.
            newest = queries.newest_id(connection, self.wanted.namespace_id, self.wanted.plugin_id)
            lines = queries.list_after(connection, self.wanted, _MOST_AT_ONCE, line_id)
        last = lines[-1].id if lines else line_id
        return lines, last if may_go_on(lines, _MOST_AT_ONCE) else max(last, newest)

    @contextlib.contextmanager
    def _checked(self) -> Iterator[Connection]:
        caller = self.platform.keyring.authenticate(self.authorization)
        with self.platform.database.transaction() as connection:
            self.check(connection, caller)
            yield connection

    async def events(
        self, begin: list[KeptLine], position: int, heartbeat_s: float = HEARTBEAT_S
    ) -> AsyncIterator[bytes]:
        """Yield `begin`, then every line behind `position` as it comes, until the reader goes or may not stay.

        The reader's key and what it may see are checked again whenever there is something to send.
        """
        with self.platform.log_followers.join(self.wanted.namespace_id, self.wanted.plugin_id) as follower:
            yield b": following\n\n"
            lines = begin
            while not follower.is_told_to_end:
                if lines:
                    yield b"".join(_event(line) for line in lines)
                # After lines there may be more at once: only after none is waited for news.
                elif not await follower.wait(heartbeat_s):
                    yield b": still here\n\n"
                try:
                    lines, position = await run_in_threadpool(self.after, position)
                except MixpeekError as error:
                    yield b"event: end\ndata: " + to_json(error.wire()) + b"\n\n"
                    return
                except psycopg.OperationalError:
                    lines = []
                    await follower.wait(_PAUSE_S)
                    follower.wake()  # ask again, whoever comes


def _event(line: KeptLine) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (line.id, to_json(line.wire()))
