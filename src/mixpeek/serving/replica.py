"""One running host, the requests it has been sent, and the version it answers with."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from mixpeek.contract.manifest import Feature
from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import HostLost, MixpeekError, PluginCrashed, PluginError, PluginReplyInvalid, PluginTimedOut
from mixpeek.execution.port import Host, Reply
from mixpeek.serving.scaling import most_under_way

# How much the newest time counts in a replica's mean.
FRESH = 0.05


@dataclass(frozen=True, eq=False)
class Served:
    """Which version a host was started from: what its answers say about themselves."""

    namespace_id: str
    plugin_id: str
    name: str
    version: str
    code_hash: str
    feature_uri: str
    features: dict[str, str]  # name → URI
    embeddings: tuple[Feature, ...] = ()


class Answer(NamedTuple):
    """A plugin's result, valid JSON, with the version that gave it and how many requests shared its call."""

    result: bytes
    served: Served
    batch: int

    def decoded(self) -> Any:
        """Return the result as plain values; raise PluginReplyInvalid for what no reader of JSON here can follow."""
        try:
            return json.loads(self.result)
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
            raise PluginReplyInvalid(f"The plugin's result cannot be read: {error}") from error


class Asker(Protocol):
    """Whoever waits for the answer to one request, told at once when it comes; a future is one."""

    def done(self) -> bool:
        """Whether it has been told."""

    def set_result(self, result: Answer, /) -> None:
        """Hear the answer."""

    def set_exception(self, exception: Exception, /) -> None:
        """Hear what went wrong instead."""


class Keeper(Protocol):
    """The replica set, as its replicas see it."""

    def note_room(self) -> None:
        """Hear that a replica has answered."""

    def note_lost(self, request: Request, error: MixpeekError, *, suspect: bool) -> None:
        """Take back a request whose replica ended before it answered; `suspect` if it may be the cause."""


class Request:
    """One inference request on its way to a host and back; told by the host's connection how it ended."""

    __slots__ = ("alone", "answer", "attempts", "body", "deadline", "replica", "sent_at", "urgent")

    def __init__(self, body: bytes, answer: Asker, deadline: float, *, urgent: bool = False) -> None:
        self.body = body
        self.answer = answer
        self.deadline = deadline
        self.urgent = urgent
        self.attempts = 0
        self.alone = False
        self.sent_at = 0.0
        self.replica: Replica | None = None

    def done(self) -> bool:
        """Never: the replica counts a request until its host is done with it, whoever still waits."""
        return False

    def set_result(self, result: Reply, /) -> None:
        """Pass on what the host answered."""
        assert self.replica is not None
        self.replica.note_reply(self, result)

    def set_exception(self, exception: MixpeekError, /) -> None:
        """Pass on how the host failed."""
        assert self.replica is not None
        self.replica.note_failure(self, exception)

    def fail(self, error: Exception) -> None:
        """Give up on the request."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Replica:
    """A host that answers requests in the order they are sent to it."""

    def __init__(self, host: Host, served: Served, plan: ServePlan, keeper: Keeper, batch_size: int) -> None:
        self.host = host
        self.served = served
        self._keeper = keeper
        self._plan = plan
        self._batch_size = batch_size
        self._loop = asyncio.get_running_loop()
        self.started_at = self._loop.time()
        self.answered_at = self.started_at
        self.seconds = 0.0
        self.under_way: deque[Request] = deque()
        self._room = most_under_way(plan, batch_size=batch_size, seconds=0.0)
        self._suspects: frozenset[Request] | None = None
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def has_room(self) -> bool:
        """Whether it may be sent another request now."""
        return len(self.under_way) < self._room and self.host.alive

    def send(self, request: Request) -> None:
        """Send a request; how it ends, the request hears."""
        request.replica = self
        request.sent_at = self._loop.time()
        if not self.under_way:
            self.idle.clear()
        self.under_way.append(request)
        self.host.post(request.body, request, alone=request.alone, timeout_s=self._plan.timeout_s)

    def note_reply(self, request: Request, reply: Reply) -> None:
        """Hand a result over, if it is valid JSON: nothing that a host says is trusted."""
        self._settle(request)
        batch, result = reply
        if not request.answer.done():
            try:
                orjson.loads(result)
            except orjson.JSONDecodeError as error:
                fault = "holds text that is not Unicode" if "surrogate" in str(error) else "is not strict JSON"
                request.fail(PluginReplyInvalid(f"The plugin's result {fault}: {error}"))
            else:
                size = batch if type(batch) is int and 1 <= batch <= self._batch_size else 1
                request.answer.set_result(Answer(result, self.served, size))
        self._keeper.note_room()

    def note_failure(self, request: Request, error: MixpeekError) -> None:
        """Hand an error over, or the request back if the host ended without answering it."""
        if isinstance(error, HostLost):
            self._forget(request)
            self._keeper.note_lost(request, error, suspect=False)  # no request takes a machine away
            return
        # One that was stopped over a limit ended as well, under everybody's requests.
        if isinstance(error, PluginError) and (isinstance(error, PluginCrashed) or not self.host.alive):
            suspects = self._suspects_of_crash()
            # Whose own time is up gets no second host.
            if not isinstance(error, PluginTimedOut):
                self._forget(request)
                self._keeper.note_lost(request, error, suspect=request in suspects)
                return
        self._settle(request)
        request.fail(error)
        self._keeper.note_room()

    def expire(self, now: float) -> list[Request]:
        """Return the requests under way whose time is up; the host goes on with them, for nobody."""
        return [request for request in self.under_way if request.deadline <= now and not request.answer.done()]

    def _suspects_of_crash(self) -> frozenset[Request]:
        """Return the requests that were, or may have been, in the call that was running when the host ended."""
        if self._suspects is None:
            first = next(iter(self.under_way), None)
            size = 1 if first is None or first.alone else self._batch_size
            self._suspects = frozenset(list(self.under_way)[:size])
        return self._suspects

    def _settle(self, request: Request) -> None:
        now = self._loop.time()
        took = now - max(self.answered_at, request.sent_at)
        self.seconds = took if not self.seconds else self.seconds + FRESH * (took - self.seconds)
        self.answered_at = now
        self._room = most_under_way(self._plan, batch_size=self._batch_size, seconds=self.seconds)
        self._forget(request)

    def _forget(self, request: Request) -> None:
        if self.under_way and self.under_way[0] is request:
            self.under_way.popleft()
        else:
            self.under_way.remove(request)
        if not self.under_way:
            self.idle.set()
