"""Small tools for plugin code: open an asset, run many calls at once.

Plugins import them through `shared.plugins` and `shared.plugins.sdk`; they run inside the sandbox, without a network.
"""

from __future__ import annotations

import asyncio
import binascii
import inspect
import io
import shutil
import tempfile
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar, cast
from urllib.parse import unquote, unquote_to_bytes, urlsplit

Item = TypeVar("Item")
Result = TypeVar("Result")


class AssetUnavailable(OSError):
    """An asset's address cannot be read from inside a plugin."""


def open_asset(uri: str | Path) -> BinaryIO:
    """Open an asset for reading: a file path, a `file:` or a `data:` address.

    Raises: AssetUnavailable: any other scheme, or data that is not well formed.
    """
    text = str(uri)
    if text.startswith("data:"):
        return io.BytesIO(_decode_data(text))
    scheme = urlsplit(text).scheme if "://" in text or text.startswith("file:") else ""
    if scheme == "file":
        return Path(unquote(urlsplit(text).path)).open("rb")
    if scheme:
        api = "only steps of the resource type api have one, for their own HTTP library"
        raise AssetUnavailable(f"cannot open a {scheme}: address: no network here ({api}); give a file or data: one")
    return Path(text).open("rb")


def download_asset(uri: str | Path, destination: str | Path | None = None) -> str:
    """Copy an asset into a file and return its path; without `destination` a new file in the scratch folder."""
    with open_asset(uri) as source:
        if destination is not None:
            with Path(destination).open("wb") as target:
                shutil.copyfileobj(source, target)
            return str(destination)
        with tempfile.NamedTemporaryFile(prefix="asset-", suffix=_suffix(str(uri)), delete=False) as scratch:
            shutil.copyfileobj(source, scratch)
            return scratch.name


def parallel_io(fn: Callable[[Item], Result], items: Iterable[Item], max_workers: int = 8) -> list[Result]:
    """Return `fn(item)` for every item, in order, run on threads; the first exception is raised."""
    with ThreadPoolExecutor(max_workers=max_workers) as pool:
        return list(pool.map(fn, items))


def concurrent_api_calls(
    fn: Callable[[Item], Result | Awaitable[Result]], items: Iterable[Item], max_concurrency: int = 8
) -> list[Result]:
    """Return `fn(item)` for every item, in order, at most `max_concurrency` at once; `fn` may be async."""
    if not inspect.iscoroutinefunction(fn):
        return parallel_io(cast("Callable[[Item], Result]", fn), items, max_concurrency)

    async def gather() -> list[Result]:
        gate = asyncio.Semaphore(max_concurrency)

        async def one(item: Item) -> Result:
            async with gate:
                return await cast("Awaitable[Result]", fn(item))

        return await asyncio.gather(*(one(item) for item in items))

    # A thread of its own: the caller may itself be running inside an event loop.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, gather()).result()


def _decode_data(uri: str) -> bytes:
    head, comma, payload = uri[len("data:") :].partition(",")
    if not comma:
        raise AssetUnavailable("this data: address has no comma between its type and its content")
    if not head.endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return b64decode(unquote_to_bytes(payload), validate=True)
    except binascii.Error as error:
        raise AssetUnavailable(f"this data: address is not valid base64: {error}") from error


def _suffix(uri: str) -> str:
    return "" if uri.startswith("data:") else Path(urlsplit(uri).path).suffix
