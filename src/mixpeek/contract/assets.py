"""Opening the files that rows name: assets of the namespace, files of the plugin, `data:` addresses.

Plugins import this through `shared.plugins`. A sandboxed plugin reaches no store: the platform reads assets for it,
piece by piece, and only those of the namespace it works for.
"""

from __future__ import annotations

import binascii
import errno
import io
import os
import shutil
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from mixpeek.contract import asking

_ASKED_SCHEMES = ("s3",)
_FETCHED_SCHEMES = ("https", "http")
# A reader of pictures or sounds asks for a few bytes at a time; each question brings so many at least. Whoever asks for
# more at once gets whole pieces.
_BUFFER_BYTES = 128 * 1024
# How long a service may be silent.
_FETCH_S = 30.0
# What the scratch folder says when it is full, which is an error with a name of its own.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
# Left free in the scratch folder by a download.
_SPARE_BYTES = 1024 * 1024
_SHOWN = 200


class AssetUnavailable(OSError):
    """An asset cannot be read from inside a plugin.

    `uri` is its address, `reason` says why in words, `code` in one: `not_found`, `too_large`, `invalid`,
    or, where another try may help, `timed_out` and `unavailable`. Left to pass, the row is recorded as failed with
    these words.
    """

    def __init__(self, uri: str, reason: str, code: str = "invalid") -> None:
        super().__init__(f"{_shown(uri)} cannot be opened: {reason}")
        self.uri = uri
        self.reason = reason
        self.code = code


def open_asset(uri: str | Path) -> BinaryIO:
    """Open an asset for reading; the file can be sought in, and is to be closed.

    Args:
        uri: an address of an asset (`s3://mixpeek/namespaces/…`, as rows hold it in `data`), a `data:` or `file:`
            address, or a path; a relative one may name a file of the plugin. Where the plugin has a network, also an
            `https:` or `http:` address, which is fetched into the scratch folder.

    Raises: AssetUnavailable: there is no such asset, it is not of the namespace that this plugin works for, or the
        scheme is another one, or data is not well formed. FileNotFoundError: there is no such file.
    """
    text = str(uri)
    if text.startswith("data:"):
        return io.BytesIO(_decode_data(text))
    scheme = urlsplit(text).scheme if "://" in text or text.startswith("file:") else ""
    if scheme in _ASKED_SCHEMES:
        return _open_asked(text)
    if scheme == "file":
        return _open_file(text, Path(unquote(urlsplit(text).path)))
    if scheme in _FETCHED_SCHEMES and asking.has_network():
        return _fetch(text)
    if scheme:
        api = "only steps of the resource type api have one"
        raise AssetUnavailable(text, f"no network here for {scheme}: addresses ({api}); give an asset, a file or data:")
    return _open_file(text, Path(text))


def download_asset(uri: str | Path, destination: str | Path | None = None) -> str:
    """Copy an asset into a file and return its path; without `destination` a new file in the scratch folder.

    Args:
        uri: as `open_asset` takes it.
        destination: the file to write; it is replaced if it is there.

    The scratch folder is small (256 MiB) and counts as memory: delete files as soon as they are read, or use
    `open_asset`, which takes none of it.

    Raises: AssetUnavailable: as `open_asset`, or the scratch folder has no room for it.
    """
    with open_asset(uri) as source:
        if destination is not None:
            _check_room(str(uri), source, Path(destination).parent)
            with Path(destination).open("wb") as target:
                shutil.copyfileobj(source, target, asking.READ_BYTES)
            return str(destination)
        _check_room(str(uri), source, Path(tempfile.gettempdir()))
        with tempfile.NamedTemporaryFile(prefix="asset-", suffix=_suffix(str(uri)), delete=False) as scratch:
            shutil.copyfileobj(source, scratch, asking.READ_BYTES)
            return scratch.name


class AskedAsset(io.RawIOBase):
    """An asset that the platform reads, a piece for each question; none of it is kept here."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = self.name = uri
        found, _ = self._ask("asset.stat", {})
        self.size_bytes = int(found["size_bytes"])
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read on at `offset`, counted from the start, from here or from the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a part of `buffer`, or all of it; return how many bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        piece = self._read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        """Return everything from here on."""
        pieces = []
        while piece := self._read(asking.READ_BYTES):
            pieces.append(piece)
        return b"".join(pieces)

    def _read(self, size: int) -> bytearray:
        size = min(size, asking.READ_BYTES, self.size_bytes - self._position)
        if size <= 0:
            return bytearray()
        _, piece = self._ask("asset.read", {"offset": self._position, "size": size})
        self._position += len(piece)
        return piece

    def _ask(self, what: str, fields: dict[str, Any]) -> tuple[Any, bytearray]:
        try:
            return asking.ask(what, {"url": self.uri, **fields})
        except asking.Refused as refused:
            raise AssetUnavailable(self.uri, refused.reason, refused.code) from None


def _open_asked(uri: str) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(AskedAsset(uri), _BUFFER_BYTES))


def _fetch(uri: str) -> BinaryIO:
    """Open a web address, fetched into an unnamed file first, as no service can be sought in."""
    from http.client import HTTPException  # slow to import, for the few that fetch
    from urllib.error import HTTPError
    from urllib.request import urlopen

    scratch = tempfile.TemporaryFile()  # noqa: SIM115 - whoever opened the asset closes it
    try:
        with urlopen(uri, timeout=_FETCH_S) as response:  # noqa: S310 - http and https alone come here
            shutil.copyfileobj(response, scratch, asking.READ_BYTES)
    except HTTPError as error:
        scratch.close()
        is_passing = error.code in (408, 429) or error.code >= 500
        code = "unavailable" if is_passing else "not_found"
        raise AssetUnavailable(uri, f"the service answered {error.code} {error.reason}", code) from None
    except (OSError, HTTPException, ValueError) as error:
        scratch.close()
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise AssetUnavailable(uri, f"it could not be fetched: {error}", "unavailable") from error
    scratch.seek(0)
    return cast("BinaryIO", scratch)


def _open_file(uri: str, path: Path) -> BinaryIO:
    """Open a file here, in the plugin's folder, or where the platform lets it be read: in a test of sample rows."""
    try:
        return path.open("rb")
    except (FileNotFoundError, PermissionError):
        folder = asking.plugin_folder()
        own = None if folder is None or path.is_absolute() else folder / path
        if own is not None and own.is_file():
            return own.open("rb")
        if not asking.is_connected():
            raise
    return _open_asked(uri)


def _check_room(uri: str, source: BinaryIO, folder: Path) -> None:
    raw = getattr(source, "raw", None)
    if not isinstance(raw, AskedAsset):
        return  # short, or on this machine's disk already
    free_bytes = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    if raw.size_bytes + _SPARE_BYTES > free_bytes:
        has, free = f"{raw.size_bytes / 1024**2:,.1f} MiB", f"{free_bytes / 1024**2:,.1f} MiB"
        repair = "read it with open_asset, or delete files that are no longer needed"
        raise AssetUnavailable(uri, f"it has {has}, and {folder} has {free} left; {repair}", "too_large")


def _decode_data(uri: str) -> bytes:
    head, comma, payload = uri[len("data:") :].partition(",")
    if not comma:
        raise AssetUnavailable(uri, "this data: address has no comma between its type and its content")
    if not head.endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return b64decode(unquote_to_bytes(payload), validate=True)
    except binascii.Error as error:
        raise AssetUnavailable(uri, f"this data: address is not valid base64: {error}") from error


def _suffix(uri: str) -> str:
    return "" if uri.startswith("data:") else Path(urlsplit(uri).path).suffix


def _shown(uri: str) -> str:
    return uri if len(uri) <= _SHOWN else f"{uri[:_SHOWN]}…"
