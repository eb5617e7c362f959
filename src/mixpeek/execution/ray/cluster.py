"""The connection to a Ray cluster: what else is here need not know how Ray is spoken to."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import ray
import ray.exceptions

from mixpeek.errors import HostLost, MixpeekError, NoRoom, PlatformError, ServiceUnavailable
from mixpeek.execution.ray.actor import HostActor
from mixpeek.execution.ray.placement import Reservation, lack_of, selector_for

log = logging.getLogger(__name__)

# What one step of starting a host may take once it has its place; a folder is sent in pieces, each a step.
STEP_S = 60.0
# A head forks a server for each client from a process with gRPC's threads; now and then one dies before it has begun.
CLIENT_ATTEMPTS = 3
_DETAILS = re.compile(r'details = "(.+)"')


class Cluster:
    """A cluster by its address, connected to by the first who needs it; for one process, as Ray's own state is.

    Args:
        address: returns it as `ray.init` takes it; another one means that the cluster was started anew.
        placement_s: how long a host waits for a place.
    """

    def __init__(self, address: Callable[[], str], placement_s: float) -> None:
        self._address = address
        self._placement_s = placement_s
        self._lock = threading.Lock()
        self._connected: str | None = None

    def connect(self) -> None:
        """Connect, if that has not been done; raise ServiceUnavailable. Blocks."""
        with self._lock:
            address = self._address()
            if ray.is_initialized():
                if address == self._connected:
                    return
                ray.shutdown()
            try:
                _init(address)
            except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
                raise ServiceUnavailable(
                    f"The Ray cluster at {address} cannot be reached: {_reason(error)}",
                    hint="See whether it runs there (`ray status`), and what MIXPEEK_EXECUTION says",
                ) from error
            self._connected = address
            log.info("connected to the Ray cluster at %s", address)

    def close(self) -> None:
        """Let go of the cluster, and with it of every actor. Blocks."""
        with self._lock:
            if ray.is_initialized():
                ray.shutdown()

    def count(self) -> dict[str, float]:
        """Return how many machines, CPUs and GPUs the cluster has. Blocks."""
        self.connect()
        all_of_it = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
        listed = ray.nodes()  # type: ignore[no-untyped-call, unused-ignore]
        machines = sum(node["Alive"] for node in listed)
        return {"machines": machines, "cpus": all_of_it.get("CPU", 0.0), "gpus": all_of_it.get("GPU", 0.0)}

    async def place(self, reservation: Reservation, *arguments: Any) -> Placed:
        """Begin to have an actor made where there is room; raise ServiceUnavailable."""
        return await asyncio.to_thread(self._place, reservation, *arguments)

    def _place(self, reservation: Reservation, *arguments: Any) -> Placed:
        self.connect()
        # Restarted by Ray an actor would be an empty one: whoever lost a host starts another, where it is needed then.
        kind = ray.remote(max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(HostActor)
        where = selector_for(ray.nodes())  # type: ignore[no-untyped-call, unused-ignore]
        options = {**reservation.options(), "label_selector": where}
        return Placed(kind.options(**options).remote(*arguments), reservation, self._placement_s)


class Placed:
    """An actor that has, or waits for, its place."""

    def __init__(self, handle: Any, reservation: Reservation, placement_s: float) -> None:
        self._handle = handle
        self._reservation = reservation
        self._placement_s = placement_s

    async def open(self, versions: str) -> Any:
        """Return what the actor's `open` does, once there is room for it; raise NoRoom, HostLost."""
        try:
            return await self._call("open", versions, timeout_s=self._placement_s)
        except TimeoutError:
            lack = lack_of(self._reservation, await asyncio.to_thread(ray.nodes))
            raise NoRoom(
                f"The cluster had no room for a host within {self._placement_s:g} s: it takes {self._reservation},"
                f" and {lack}"
            ) from None

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the actor does; raise HostLost, or what it returned if that is an error."""
        try:
            return await self._call(method, *arguments, timeout_s=STEP_S)
        except TimeoutError:
            raise HostLost(f"A machine of the cluster did not answer within {STEP_S:g} s") from None

    async def release(self) -> None:
        """End the actor; once."""
        handle, self._handle = self._handle, None
        if handle is not None:
            await asyncio.to_thread(_kill, handle)

    async def _call(self, method: str, *arguments: Any, timeout_s: float) -> Any:
        asked = await asyncio.to_thread(lambda: getattr(self._handle, method).remote(*arguments).future())
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(asked), timeout_s)
        except ray.exceptions.RayActorError as error:
            raise HostLost(f"A machine of the cluster was lost: {_first_line(error)}") from error
        except ray.exceptions.RayTaskError as error:  # a fault of ours, over there
            raise PlatformError(f"A machine of the cluster could not start a host: {_last_line(error)}") from error
        except ray.exceptions.RayError as error:
            raise HostLost(f"The cluster did not answer: {_first_line(error)}") from error
        if isinstance(answer, MixpeekError):
            raise answer
        return answer


def _init(address: str) -> None:
    for left in reversed(range(CLIENT_ATTEMPTS)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, namespace="mixpeek")
        except ConnectionError as error:
            # Ray's own words where nobody answered at all; it has waited half a minute for that.
            has_answered = address.startswith("ray://") and "timeout" not in str(error)
            if not left or not has_answered:
                raise
            log.warning("the Ray cluster at %s did not let us in, trying again: %s", address, _reason(error))
        else:
            return


def _reason(error: BaseException) -> str:
    """Return what went wrong in a line: gRPC's own details, or the end of a traceback from the cluster."""
    details = _DETAILS.search(str(error))
    if details:
        return details[1]
    return _last_line(error) if isinstance(error, ConnectionAbortedError) else _first_line(error)


def _kill(handle: Any) -> None:
    try:
        ray.kill(handle, no_restart=True)
    except (ray.exceptions.RayError, ValueError, RuntimeError, ConnectionError) as error:
        log.debug("an actor of a host that has ended could not be ended: %s", error)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _last_line(error: BaseException) -> str:
    return str(error).strip().rpartition("\n")[2]
