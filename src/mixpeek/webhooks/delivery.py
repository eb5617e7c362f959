"""The loop that takes deliveries from the outbox and sends them: one thread of the worker, woken by the database.

What it does is in rows: a delivery is sent under a lease, and whoever dies with one is noticed by its connection, so
that the delivery is sent again. Each arrives at least once, under an event id that stays the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from mixpeek.db.pool import Database
from mixpeek.errors import MixpeekError
from mixpeek.webhooks import queries
from mixpeek.webhooks.models import Claim, Keys, Outcome
from mixpeek.webhooks.retries import RetryPolicy
from mixpeek.webhooks.service import Webhooks, live_secrets
from mixpeek.webhooks.signing import DELIVERY_HEADER, EVENT_HEADER, SIGNATURE_HEADER, TYPE_HEADER, sign

if TYPE_CHECKING:
    from mixpeek.webhooks.sending import Sender

log = logging.getLogger(__name__)

USER_AGENT = "Mixpeek-Webhooks/1"
PAUSE_S = 1.0
# A notice may be missed where the database restarts; this is the longest until somebody looks again.
LONGEST_WAIT_S = 30.0
# Beyond an attempt's own time limit: to record how it went, also on a machine that is busy.
SPARE_LEASE_S = 30.0


class Courier:
    """Delivers until stopped; `start` it once."""

    def __init__(
        self,
        database: Database,
        webhooks: Webhooks,
        retries: RetryPolicy,
        *,
        process_id: str,
        at_once: int,
    ) -> None:
        """Send at most `at_once` deliveries of one endpoint at the same time, so that a slow one delays only itself."""
        self._database = database
        self._webhooks = webhooks
        self._retries = retries
        # The name of its connection, by which others see whether it is alive.
        self._name = f"webhooks-{process_id}"
        self._at_once = at_once
        self._is_stopping = False
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._deliver_forever()), name="webhooks", daemon=True
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        # Set when there may be something to do: a notice, a place that became free, the end.
        self._news = asyncio.Event()
        self._sender: Sender | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def start(self) -> Courier:
        """Begin to deliver."""
        self._thread.start()
        return self

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take no more; what is under way is sent again by the next one."""
        self._is_stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)
        self._thread.join(timeout_s)

    async def _deliver_forever(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._is_stopping:
            try:
                await self._deliver_until_disconnected()
            except psycopg.OperationalError as error:
                log.warning("webhooks lost the database connection, trying again: %s", error)
            except Exception:
                # The edge of a loop that must not end: a database that is read-only after a failover, say.
                log.exception("webhooks cannot be delivered, trying again")
            if not self._is_stopping:
                await asyncio.sleep(PAUSE_S)
        for task in self._sending:
            task.cancel()
        if self._sender is not None:
            await self._sender.close()

    async def _deliver_until_disconnected(self) -> None:
        connected = psycopg.AsyncConnection.connect(self._database.url, autocommit=True, application_name=self._name)
        async with await connected as listener:
            await listener.execute(f"LISTEN {queries.CHANNEL}")
            hearing = asyncio.create_task(self._hear(listener))
            try:
                while not self._is_stopping:
                    self._news.clear()
                    wait_s = await self._take()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), wait_s)
                    if hearing.done():
                        hearing.result()  # raises what broke the connection
            finally:
                hearing.cancel()

    async def _hear(self, listener: psycopg.AsyncConnection[Any]) -> None:
        try:
            async for _ in listener.notifies():
                self._news.set()
        finally:
            self._news.set()

    async def _take(self) -> float:
        """Begin to send whatever may be sent now; return how long there will be nothing more, but for news."""
        claims, due_s = await asyncio.to_thread(self._claim)
        for claim in claims:
            task = asyncio.create_task(self._deliver(claim))
            self._sending.add(task)
            task.add_done_callback(self._note_sent)
        return LONGEST_WAIT_S if due_s is None else min(max(due_s, 0.0), LONGEST_WAIT_S)

    def _note_sent(self, task: asyncio.Task[None]) -> None:
        """Give its place to what waits behind it."""
        self._sending.discard(task)
        self._news.set()

    def _claim(self) -> tuple[list[Claim], float | None]:
        with self._database.transaction() as connection:
            claims = queries.claim(connection, self._name, self._at_once, SPARE_LEASE_S)
            due_s = queries.next_due_s(connection)
        # What is due and was not taken waits for a place; one that becomes free is news.
        return claims, None if due_s is not None and due_s <= 0 else due_s

    async def _deliver(self, claim: Claim) -> None:
        try:
            outcome = await self._send(claim)
            await asyncio.to_thread(self._record, claim, outcome)
        except psycopg.OperationalError as error:
            log.warning("delivery %s lost the database, its lease will end: %s", claim.delivery_id, error)
        except Exception:
            # The edge of one delivery; it is tried again when its lease ends.
            log.exception("delivery %s failed", claim.delivery_id)

    async def _send(self, claim: Claim) -> Outcome:
        try:
            keys = await asyncio.to_thread(self._keys, claim)
        except MixpeekError as error:
            return Outcome(None, f"its secret cannot be read: {error.message}", None, 0)
        if self._sender is None:
            from mixpeek.webhooks.sending import Sender  # with its HTTP client; who sends nothing does without

            self._sender = Sender(self._webhooks.policy)
        now = datetime.now(UTC)
        body = claim.event.body()
        headers = {
            **keys.headers,
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            TYPE_HEADER: claim.event.event_type,
            EVENT_HEADER: claim.event.event_id,
            DELIVERY_HEADER: claim.delivery_id,
            SIGNATURE_HEADER: sign(body, live_secrets(claim.endpoint, keys, now), int(now.timestamp())),
        }
        return await self._sender.send(claim.endpoint.url, headers, body, claim.endpoint.timeout_s)

    def _keys(self, claim: Claim) -> Keys:
        with self._database.transaction() as connection:
            return self._webhooks.keys_of(connection, claim.event.organization_id, claim.endpoint)

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        attempt: dict[str, Any] = {
            "at": now.isoformat().replace("+00:00", "Z"),
            "status": outcome.status,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
        }
        with self._database.transaction() as connection:
            if outcome.error is None:
                queries.finish(connection, claim.entry, "delivered", attempt, outcome.response)
                queries.note_success(connection, claim.endpoint.endpoint_id)
                return
            endpoint = queries.note_failure(connection, claim.endpoint.endpoint_id, outcome.error)
            if endpoint is None:
                return  # deleted meanwhile, and its deliveries with it
            pause_s = self._retries.next_pause_s(
                claim.attempts, claim.started_at, now, asked_for_s=outcome.retry_after_s
            )
            if pause_s is None or endpoint.disabled_at is not None:
                queries.finish(connection, claim.entry, "failed", attempt, outcome.response)
            else:
                queries.postpone(connection, claim.entry, pause_s, attempt, outcome.response)
            has_failed_long = endpoint.failing_since and self._retries.is_to_be_disabled(endpoint.failing_since, now)
            if endpoint.disabled_at is None and has_failed_long:
                reason = f"it failed {endpoint.failures} times since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC"
                dropped = queries.disable_endpoint(connection, endpoint.endpoint_id, f"{reason}, last: {outcome.error}")
                log.warning("webhook endpoint %s is disabled, %d deliveries end: %s", endpoint.url, dropped, reason)
