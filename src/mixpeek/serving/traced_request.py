"""A request that tells the trace it belongs to how long it waited for a replica, and how long its host took."""

from __future__ import annotations

import time
from typing import Any

from mixpeek import tracing
from mixpeek.errors import MixpeekError
from mixpeek.execution.port import Reply
from mixpeek.serving.replica import Request


class TracedRequest(Request):
    """Takes the place of `Request` where the process traces."""

    __slots__ = ("_began_s", "_context", "_sent_at", "_sent_s")

    def __init__(self, body: bytes, answer: Any, deadline: float, *, urgent: bool = False) -> None:
        super().__init__(body, answer, deadline, urgent=urgent)
        self._context = tracing.current()
        self._began_s = time.monotonic()

    @property
    def sent_at(self) -> float:
        """When it was sent, by the loop's clock; that one stands still while the loop is busy, so ours is kept too."""
        return self._sent_at

    @sent_at.setter
    def sent_at(self, moment: float) -> None:
        self._sent_at = moment
        self._sent_s = time.monotonic()

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
            tracing.record("queue", self._context, self._began_s, time.monotonic(), error=error)
        super().fail(error)

    def _tell_call(self, told: dict[str, str | int], error: MixpeekError | None) -> None:
        now = time.monotonic()
        assert self.replica is not None
        served = self.replica.served
        told |= {
            "mixpeek.namespace_id": served.namespace_id,
            "mixpeek.plugin_id": served.plugin_id,
            "mixpeek.host_pid": self.replica.host.pid,
        }
        tracing.record("queue", self._context, self._began_s, self._sent_s)
        tracing.record("host call", self._context, self._sent_s, now, attributes=told, error=error)
        self._began_s = now  # it may be sent again
