"""The platform's author tools and SDK; `from mixpeek import Mixpeek` is the client, `AsyncMixpeek` its twin.

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixpeek.client import AsyncMixpeek as AsyncMixpeek
    from mixpeek.client import Mixpeek as Mixpeek

    __version__: str

__all__ = ["AsyncMixpeek", "Mixpeek", "__version__"]


def __getattr__(name: str) -> object:
    if name in {"AsyncMixpeek", "Mixpeek"}:
        from mixpeek import client

        return getattr(client, name)
    if name == "__version__":
        return _installed_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mixpeek")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "1.0.0"
