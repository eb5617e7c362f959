"""A batch's progress as server-sent events: one whenever something changed, the last when it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from mixpeek.api.platform import Platform
from mixpeek.batches import progress_queries
from mixpeek.batches.models import Batch
from mixpeek.db.pool import Connection
from mixpeek.errors import MixpeekError
from mixpeek.tenancy.models import Principal
from mixpeek.workflows.tasks import TERMINAL

# Proxies close connections on which nothing moves.
HEARTBEAT_S = 15.0
POLL_S = 0.5


@dataclass(frozen=True)
class Watching:
    """One reader of one batch; `find` returns the batch, and raises when the reader may not, or no longer, see it."""

    platform: Platform
    authorization: str | None
    find: Callable[[Connection, Principal], Batch]

    def state(self) -> dict[str, Any]:
        """Return what is told of the batch now."""
        caller = self.platform.keyring.authenticate(self.authorization)
        with self.platform.database.transaction() as connection:
            batch = self.find(connection, caller)
            return {
                "batch_id": batch.batch_id,
                "status": batch.status,
                "error": batch.error,
                "progress": progress_queries.progress(connection, batch.batch_id),
            }

    async def events(self, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """Yield the batch's state, then each change of it; ends with it, or when the reader may not stay."""
        # Among those who follow logs, so that one limit counts them all and the server's end is told to all.
        with self.platform.log_followers.join("batches", "") as follower:
            told: dict[str, Any] | None = None
            told_at, number = time.monotonic(), 0
            while not follower.is_told_to_end:
                try:
                    state = await run_in_threadpool(self.state)
                except MixpeekError as error:
                    yield b"event: end\ndata: " + to_json(error.wire()) + b"\n\n"
                    return
                except psycopg.OperationalError:
                    state = told or {}  # the database is away: what was told last still holds
                if state and state != told:
                    told, told_at, number = state, time.monotonic(), number + 1
                    is_over = state["status"] in TERMINAL
                    kind = b"end" if is_over else b"progress"
                    yield b"id: %d\nevent: %b\ndata: %b\n\n" % (number, kind, to_json(state))
                    if is_over:
                        return
                elif time.monotonic() - told_at > heartbeat_s:
                    told_at = time.monotonic()
                    yield b": still here\n\n"
                await asyncio.sleep(POLL_S)
