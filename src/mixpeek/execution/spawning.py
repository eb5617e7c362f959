"""Starts the process of a host, and takes over its way out where it has one."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Literal

from mixpeek.errors import PlatformError
from mixpeek.execution import sandbox
from mixpeek.execution.egress.handover import Handover
from mixpeek.execution.egress.proxy import Proxy
from mixpeek.execution.host_process import Descriptors, HostProcess
from mixpeek.execution.port import HostSpec

Mode = Literal["bubblewrap", "off"]


async def mode_for(spec: HostSpec) -> Mode:
    """Return how a host is isolated on this machine; raise SandboxUnavailable, PlatformError where it cannot be."""
    status = await asyncio.to_thread(sandbox.require)
    if status.mode == "off":
        return "off"
    closed = await asyncio.to_thread(sandbox.find_closed, spec.plugin_dir)
    if closed is not None:
        raise PlatformError(
            f"{closed} cannot be read by the user that plugins run as",
            hint=f"Run `chmod -R a+rX {spec.plugin_dir}`",
        )
    return "bubblewrap"


async def spawn(
    process: HostProcess, spec: HostSpec, mode: Mode, fds: Descriptors, *, proxy: Proxy | None, timeout_s: float
) -> None:
    """Start the process; with a proxy, have it answer on the listener that the host hands over within `timeout_s`."""
    if proxy is None:
        await process.start(spec, mode, fds)
        return
    with contextlib.closing(Handover()) as handover:
        await process.start(spec, mode, dataclasses.replace(fds, egress=handover.child_fd))
        with contextlib.suppress(TimeoutError):  # a host that hangs is met by the question for its health
            async with asyncio.timeout(timeout_s):
                listener = await handover.receive()
                if listener is not None:
                    proxy.serve(listener)
