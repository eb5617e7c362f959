"""A request that tells the trace it belongs to how long it waited for a replica, and how long its host took."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from mixpeek import tracing
from mixpeek.deployments.replica import Request
from mixpeek.errors import MixpeekError
from mixpeek.execution.port import Reply


class TracedRequest(Request):
    """Takes the place of `Request` where the process traces."""

    __slots__ = ("_context", "_waits_since")

    def __init__(self, body: bytes, answer: Any, deadline: float, *, urgent: bool = False) -> None:
        super().__init__(body, answer, deadline, urgent=urgent)
        self._context = tracing.current()
        self._waits_since = asyncio.get_running_loop().time()

    def set_result(self, result: Reply, /) -> None:
        """Pass on what the host answered."""
        batch = result[0]
        self._tell_call({"mixpeek.batch_size": batch} if type(batch) is int else {}, None)
        super().set_result(result)

    def set_exception(self, exception: MixpeekError, /) -> None:
        """Pass on how the host failed; the request may be sent to another one."""
        self._tell_call({}, exception)
        super().set_exception(exception)

    def fail(self, error: Exception) -> None:
        """Give up on the request; one that never had its turn has only waited."""
        if not self.answer.done() and not self.sent_at:
            self._record("queue", self._waits_since, self._now(), {}, error)
        super().fail(error)

    def _tell_call(self, told: dict[str, str | int], error: MixpeekError | None) -> None:
        now = self._now()
        self._record("queue", self._waits_since, self.sent_at, {}, None)
        self._record("host call", self.sent_at, now, told, error)
        self._waits_since = now

    def _record(
        self, name: str, began: float, ended: float, told: dict[str, str | int], error: BaseException | None
    ) -> None:
        if self.replica is not None:
            served = self.replica.served
            told |= {
                "mixpeek.namespace_id": served.namespace_id,
                "mixpeek.plugin_id": served.plugin_id,
                "mixpeek.host_pid": self.replica.host.pid,
            }
        # The loop's clock is the monotonic one, but need not say so.
        offset = time.monotonic() - self._now()
        tracing.record(name, self._context, began + offset, ended + offset, attributes=told, error=error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
