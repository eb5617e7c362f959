"""The actor: one keeper on a machine of the cluster, on a loop of its own. Runs there, called from `execution`.

It returns errors of ours instead of raising them: Ray would wrap them in its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import tempfile
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ray.util

import mixpeek
from mixpeek.errors import MixpeekError, PlatformError
from mixpeek.execution.remote.doors import Address
from mixpeek.execution.remote.folders import FolderCache
from mixpeek.execution.remote.keeper import Keeper, Launched, Order

Result = TypeVar("Result")


def versions() -> str:
    """Return what must be alike on all machines."""
    return f"mixpeek {mixpeek.__version__} on Python {'.'.join(platform.python_version_tuple()[:2])}"


class HostActor:
    """One host's place in the cluster; its methods are called one after another.

    Args:
        token: what whoever connects must hold.
        cache_dir: where folders are kept; a default of the machine's if None.
    """

    def __init__(self, token: bytes, cache_dir: str | None) -> None:
        with contextlib.suppress(OSError):  # Ray's workers stand back, by 15; without the right to, they still do
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="keeper", daemon=True).start()
        self._token = token
        self._cache_dir = Path(cache_dir or Path(tempfile.gettempdir()) / f"mixpeek-cache-{os.geteuid()}")
        self._cache: FolderCache | None = None
        self._keeper: Keeper | None = None

    def open(self, theirs: str) -> Address | MixpeekError:
        """Return where the keeper waits to be connected to."""
        if theirs != versions():
            return PlatformError(
                f"A machine of the cluster has {versions()}, this server is {theirs}",
                hint="Install the server's version on every machine of the cluster",
            )
        return self._wait(self._open())

    def lacks(self, digests: Sequence[str]) -> list[str] | MixpeekError:
        """Return which of these folders must be sent here."""
        assert self._cache is not None
        return [digest for digest in digests if not self._cache.hold(digest)]

    def take(self, digest: str, piece: bytes, is_last: bool) -> MixpeekError | None:
        """Take a piece of a folder."""
        assert self._cache is not None
        try:
            self._cache.take(digest, piece, is_last=is_last)
        except (MixpeekError, OSError) as error:
            return _ours(error)
        return None

    def launch(self, order: Order) -> Launched | MixpeekError:
        """Start the host."""
        assert self._keeper is not None
        return self._wait(self._keeper.launch(order))

    async def _open(self) -> Address:
        self._cache = FolderCache(self._cache_dir)
        self._keeper = Keeper(self._token, ray.util.get_node_ip_address(), self._cache)  # type: ignore[no-untyped-call, unused-ignore]
        return self._keeper.address

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result | MixpeekError:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (MixpeekError, OSError) as error:
            return _ours(error)


def _ours(error: MixpeekError | OSError) -> MixpeekError:
    if isinstance(error, MixpeekError):
        return error
    return PlatformError(f"A machine of the cluster could not start a host: {error}")
