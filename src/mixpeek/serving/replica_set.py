"""The replicas of one version: a bounded queue before them, as many as the load needs, replaced when they end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import HostLost, MixpeekError, PluginTimedOut
from mixpeek.execution.port import Host, Told
from mixpeek.serving.errors import InferenceUnavailable
from mixpeek.serving.replica import Answer, Asker, Replica, Request, Served
from mixpeek.serving.scaling import STABLE_S, Pressure, backoff_s, retry_after_s, scale
from mixpeek.serving.tally import Tally

log = logging.getLogger(__name__)

# What a queue may hold in bytes, however few requests these are.
MOST_QUEUED_BYTES = 256 * 1024**2
# A request that may have ended a host is sent to another one, alone; if that ends too, it is not sent again.
ATTEMPTS = 2
# Machines that are lost one after another under a replica that starts; then whoever waits is told.
MOST_LOST = 5
# A wait longer than this for a crashed replica is told at once instead of being waited for.
WORTH_WAITING_S = 2.0


@dataclass(frozen=True)
class Started:
    """A host ready to answer, and how many requests one of its calls answers."""

    host: Host
    batch_size: int


Start = Callable[[], Awaitable[Started]]


@dataclass(frozen=True)
class Standing:
    """A set at one moment: requests that wait or are under way, replicas, and what their hosts are asked about by.

    That is their processes on this machine, and what other machines told of theirs.
    """

    waiting: int
    under_way: int
    ready: int
    starting: int
    wanted: int
    pids: tuple[int, ...]
    told: tuple[Told, ...] = ()


class ReplicaSet:
    """Answers the requests of one version; used from the server's loop only, and needs `tick` a few times a second."""

    def __init__(
        self,
        served: Served,
        plan: ServePlan,
        start: Start,
        *,
        on_demand: bool = False,
        tally: Tally | None = None,
        request_class: type[Request] = Request,
    ) -> None:
        self.served = served
        self.plan = plan
        self.tally = tally or Tally()
        self._start = start
        self._request_class = request_class
        self._loop = asyncio.get_running_loop()
        self._replicas: list[Replica] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._under_start = 0
        self._leaving: dict[Replica, asyncio.Task[None]] = {}
        self._waiting: deque[Request] = deque()
        self._waiting_bytes = 0
        self._returned: list[Request] = []
        self._wanted = 0 if on_demand else plan.initial
        self._pressure = Pressure()
        self._crashes = 0
        self._not_before = 0.0
        self._is_closed = False
        self._changed = asyncio.Event()
        self._used_at = self._loop.time()
        self.restarts = 0
        self.last_error: str | None = None
        self._last_failure: Exception | None = None
        self._lost_starts = 0

    def submit(self, body: bytes, *, urgent: bool = False, once: bool = False) -> asyncio.Future[Answer]:
        """Send a request, or queue it, and return the future of its answer; see `ask`."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self.ask(body, answer, urgent=urgent, once=once)
        return answer

    def ask(self, body: bytes, asker: Asker, *, urgent: bool = False, once: bool = False) -> None:
        """Send a request, or queue it; `asker` hears the answer, or a PluginError or InferenceUnavailable.

        Sent once more if its host ends before it answers.

        Args:
            body: JSON with `inputs` and `parameters`.
            urgent: have a crashed replica started again at once: who looks for the cause of crashes must meet it.
            once: do not send it again if its host ends.

        Raises: InferenceUnavailable: the queue is full, or replicas keep crashing.
        """
        request = self._request_class(body, asker, self._loop.time() + self.plan.timeout_s, urgent=urgent)
        if once:
            request.attempts = ATTEMPTS
        replica = None if self._waiting else self._with_room()
        if replica is not None:
            replica.send(request)
        else:
            self._queue(request)

    def linger(self) -> None:
        """Wait on the spot, for a moment at most, for the answer to the one request under way."""
        busy = [replica for replica in self._replicas if replica.under_way]
        if len(busy) == 1:
            busy[0].host.linger()

    async def open(self) -> None:
        """Start the first replicas; raise what kept one from starting."""
        self._tend()
        while len(self._replicas) < min(self._wanted, self.plan.initial):
            if self._last_failure is not None:
                raise self._last_failure
            if self._is_closed:
                raise InferenceUnavailable("The version was stopped while it started")
            self._changed.clear()
            await self._changed.wait()

    def tick(self, now: float) -> None:
        """Let go of what waited too long and of what died, follow the load, and start what is missing."""
        self._expire(now)
        ongoing = self._count_ongoing()
        if ongoing:
            self._used_at = now
        self._wanted, self._pressure = scale(
            self.plan, self._pressure, ongoing=ongoing, current=self._wanted, now=now, idle_since=self._used_at
        )
        if self._crashes and any(now - replica.started_at > STABLE_S for replica in self._replicas):
            self._crashes = 0
        self._tend()

    def idle_s(self, now: float) -> float:
        """Return for how long nothing was asked."""
        return 0.0 if self._count_ongoing() else now - self._used_at

    async def drain(self) -> None:
        """Answer what was submitted, then end every replica; nothing may be submitted any more."""
        while self._has_taken():
            self._changed.clear()
            await self._changed.wait()
        await self.close()

    async def close(self) -> None:
        """End every replica now; what waits is refused."""
        self._is_closed = True
        for task in self._starting:
            task.cancel()
        self._refuse_waiting(InferenceUnavailable("The server is stopping"))
        # One that is leaving may be stuck in a call: it is not waited for.
        replicas = [*self._replicas, *self._leaving]
        for task in self._leaving.values():
            task.cancel()
        self._replicas = []
        await asyncio.gather(*(replica.host.close() for replica in replicas), return_exceptions=True)
        await asyncio.gather(*self._starting, return_exceptions=True)

    def describe(self) -> dict[str, Any]:
        """Return how the set stands, as `…/status` shows it."""
        alive = [replica for replica in self._replicas if replica.host.alive]
        return {
            "replicas": len(alive),
            "replicas_wanted": self._wanted,
            "requests_waiting": len(self._waiting),
            "requests_under_way": sum(len(replica.under_way) for replica in alive),
            "restarts": self.restarts,
            "last_error": self.last_error,
            "next_start_in_s": round(max(0.0, self._not_before - self._loop.time()), 1) if not alive else 0.0,
        }

    @property
    def pids(self) -> list[int]:
        """The processes of the replicas."""
        return [replica.host.pid for replica in self._replicas if replica.host.alive]

    def stand(self) -> Standing:
        """Return how the set stands, those of its replicas included that only finish what they have taken."""
        replicas = [replica for replica in (*self._replicas, *self._leaving) if replica.host.alive]
        return Standing(
            waiting=len(self._waiting) + len(self._returned),
            under_way=sum(len(replica.under_way) for replica in replicas),
            ready=len([replica for replica in self._replicas if replica.host.alive]),
            starting=self._under_start,
            wanted=0 if self._is_closed else self._wanted,
            pids=tuple(replica.host.pid for replica in replicas if replica.host.pid),
            told=tuple(replica.host.told for replica in replicas if replica.host.told is not None),
        )

    # called by replicas

    def note_room(self) -> None:
        """Send on what waits."""
        while self._waiting:
            replica = self._with_room()
            if replica is None:
                return
            request = self._waiting.popleft()
            self._waiting_bytes -= len(request.body)
            if not request.answer.done():
                replica.send(request)
        self._changed.set()

    def note_lost(self, request: Request, error: MixpeekError, *, suspect: bool) -> None:
        """Send a request again, or fail it once two hosts have ended under it."""
        if suspect:
            request.attempts += 1
            request.alone = True
        if self._is_closed:
            request.fail(InferenceUnavailable("The replica was stopped before it answered"))
        elif request.attempts >= ATTEMPTS:
            request.fail(error)
        elif not request.answer.done():
            self._returned.append(request)
        self._loop.call_soon(self._tend)
        self._changed.set()

    def _readmit(self) -> None:
        """Put returned requests before those that wait: first the ones that only stood in line when their host ended.

        What may end another host comes behind them, so that it does not take them along.
        """
        returned, self._returned = self._returned, []
        in_order = sorted(returned, key=lambda request: request.alone)
        self._waiting.extendleft(reversed(in_order))
        self._waiting_bytes += sum(len(request.body) for request in in_order)

    def _with_room(self) -> Replica | None:
        """Return the replica with the fewest requests under way, None if none may be sent more."""
        best: Replica | None = None
        for replica in self._replicas:
            if replica.has_room and (best is None or len(replica.under_way) < len(best.under_way)):
                best = replica
        return best

    def _queue(self, request: Request) -> None:
        held = len(self._waiting)
        if self._is_closed:
            raise InferenceUnavailable("This version is being stopped")
        if held >= self.plan.queue or self._waiting_bytes + len(request.body) > MOST_QUEUED_BYTES:
            seconds = max((replica.seconds for replica in self._replicas), default=0.0)
            wait = retry_after_s(waiting=held, replicas=len(self._replicas), seconds=seconds)
            raise InferenceUnavailable(f"{held} requests wait already", retry_after_s=wait)
        pause = self._not_before - self._loop.time()
        is_up = any(replica.host.alive for replica in self._replicas)
        if pause > WORTH_WAITING_S and not is_up and not request.urgent:
            raise InferenceUnavailable(f"The plugin keeps crashing: {self.last_error}", retry_after_s=pause)
        self._waiting.append(request)
        self._waiting_bytes += len(request.body)
        if not self._wanted or not is_up:
            self._wanted = max(1, self._wanted)
            self._tend()

    def _count_ongoing(self) -> int:
        return len(self._waiting) + len(self._returned) + sum(len(replica.under_way) for replica in self._replicas)

    def _has_taken(self) -> bool:
        """Whether a request is still to be answered, by a replica that is leaving too."""
        return self._count_ongoing() > 0 or any(replica.under_way for replica in self._leaving)

    def _expire(self, now: float) -> None:
        limit = f"{self.plan.timeout_s:g} s"
        if any(request.deadline <= now for request in self._waiting):
            kept = deque(request for request in self._waiting if request.deadline > now)
            for request in self._waiting:
                if request.deadline <= now:
                    request.fail(InferenceUnavailable(f"The request waited {limit} without its turn", retry_after_s=2))
            self._waiting = kept
            self._waiting_bytes = sum(len(request.body) for request in kept)
            self._changed.set()
        for replica in (*self._replicas, *self._leaving):
            for request in replica.expire(now):
                request.fail(
                    PluginTimedOut(
                        f"The plugin did not answer within {limit}, waiting included",
                        hint="Raise `timeout_s` in serve_config, or make the call shorter",
                        timeout_s=self.plan.timeout_s,
                    )
                )

    def _tend(self) -> None:
        """Bury dead replicas, start missing ones, let surplus ones go."""
        if self._is_closed:
            return
        self._readmit()
        for replica in [each for each in self._replicas if not each.host.alive]:
            self._replicas.remove(replica)
            self._note_crash(replica.host.ended or "The plugin's host ended")
            self.restarts += 1
            self.tally.restarts += 1
            self._part(replica)
        if self._loop.time() >= self._not_before or any(request.urgent for request in self._waiting):
            for _ in range(self._wanted - len(self._replicas) - self._under_start):
                self._under_start += 1
                task = self._loop.create_task(self._start_one())
                self._starting.add(task)
                task.add_done_callback(self._starting.discard)
        while self._wanted < len(self._replicas):
            replica = min(self._replicas, key=lambda each: len(each.under_way))
            self._replicas.remove(replica)
            self._part(replica)
        if self._waiting:
            self.note_room()

    def _part(self, replica: Replica) -> None:
        async def end() -> None:
            await replica.idle.wait()
            await replica.host.close()

        task = self._leaving[replica] = self._loop.create_task(end())
        task.add_done_callback(lambda _: self._leaving.pop(replica, None))

    async def _start_one(self) -> None:
        began = self._loop.time()
        try:
            try:
                started = await self._start()
            finally:
                self._under_start -= 1
        except Exception as error:  # whatever it was, the next one may start
            self._note_start_failure(error)
        else:
            if self._is_closed:
                await started.host.close()
                return
            self._last_failure, self._lost_starts = None, 0
            self.tally.starts.note(self._loop.time() - began)
            self._replicas.append(Replica(started.host, self.served, self.plan, self, started.batch_size))
            self.note_room()
        finally:
            self._changed.set()

    def _note_start_failure(self, error: Exception) -> None:
        self.tally.start_failures += 1
        message = error.named if isinstance(error, MixpeekError) else f"{type(error).__name__}: {error}"
        log.warning("no replica of %s: %s", self.served.plugin_id, message)
        self._note_crash(message)
        if isinstance(error, HostLost) and self._lost_starts < MOST_LOST - 1:
            self._lost_starts += 1  # no fault of the version's: whoever waits for it waits for another machine
            return
        self._last_failure = error
        if not self._replicas and not self._under_start:
            # Nobody else will answer them; the cause is worth more than a time-out.
            self._refuse_waiting(error)

    def _note_crash(self, message: str) -> None:
        self._crashes += 1
        self._not_before = self._loop.time() + backoff_s(self._crashes)
        self.last_error = message

    def _refuse_waiting(self, error: Exception) -> None:
        """Fail what waits, and what was handed back by a host that has ended."""
        refused = [*self._returned, *self._waiting]
        self._returned, self._waiting, self._waiting_bytes = [], deque(), 0
        for request in refused:
            request.fail(error)
        self._changed.set()
