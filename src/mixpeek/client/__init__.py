"""The SDK: `Mixpeek` and `AsyncMixpeek` speak the documented HTTP surface; nothing here runs plugin code.

`aio` is written by hand, as coroutines; `sync` is made from it by `make client` and does the same, blocking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixpeek.client.errors import ApiError, ServerUnreachable, WaitTimedOut
from mixpeek.client.response import Response
from mixpeek.client.sync.session import Mixpeek

if TYPE_CHECKING:
    from mixpeek.client.aio.session import AsyncMixpeek as AsyncMixpeek

__all__ = ["ApiError", "AsyncMixpeek", "Mixpeek", "Response", "ServerUnreachable", "WaitTimedOut"]


def __getattr__(name: str) -> object:
    if name == "AsyncMixpeek":  # loaded on first use: a command line has no use for it
        from mixpeek.client.aio.session import AsyncMixpeek

        return AsyncMixpeek
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
