"""From which hosts content is fetched, and which of their addresses are connected to. Pure; others resolve names.

An entry of `MIXPEEK_SOURCE_HOSTS` that names a host opens its public addresses on 80 and 443. One that names a port too
opens exactly that, also where it leads to a private or loopback address: it was asked for. `s3://bucket` opens a
bucket, which is read with the server's own credentials.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mixpeek.catalog.errors import SourceRefused
from mixpeek.errors import SettingInvalid
from mixpeek.execution.egress.addresses import Address, reason_to_refuse
from mixpeek.execution.egress.heads import Destination, is_name
from mixpeek.text import fault_of_text

VARIABLE = "MIXPEEK_SOURCE_HOSTS"
BUCKETS = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_URL = 8192
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Source:
    """An address that may be asked: where to connect, and the parts of the request."""

    scheme: str
    destination: Destination
    target: str
    any_address: bool

    @property
    def is_usual_port(self) -> bool:
        return self.destination.port == _PORTS[self.scheme]


@dataclass(frozen=True)
class _Entry:
    """A host (`*` any, `*.example.com` every name below), and the one port it is opened on."""

    host: str
    port: int | None

    def covers(self, host: str) -> bool:
        if self.host == "*":
            return True
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host


@dataclass(frozen=True)
class SourceHosts:
    """What an operator lets content be fetched from; nothing unless named."""

    entries: tuple[_Entry, ...] = ()
    buckets: frozenset[str] = frozenset()

    @classmethod
    def from_setting(cls, setting: str) -> SourceHosts:
        """Read the setting; raise SettingInvalid naming the entry that cannot be read."""
        entries = setting.replace(",", " ").split()
        named = [entry.removeprefix(BUCKETS).rstrip("/") for entry in entries if entry.startswith(BUCKETS)]
        for name in named:
            if not _BUCKET.fullmatch(name):
                raise _invalid(f"{BUCKETS}{name}")
        return cls(tuple(_entry_from(e) for e in entries if not e.startswith(BUCKETS)), frozenset(named))

    def open(self, url: str) -> Source:
        """Return the source that `url` names.

        Raises: SourceRefused: no entry opens it.
        """
        parts = _split(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or _PORTS[parts.scheme]
        covering = [entry for entry in self.entries if entry.covers(host)]
        if not any(entry.port == port or (entry.port is None and port in _PORTS.values()) for entry in covering):
            raise SourceRefused(f"Content is not fetched from {Destination(host, port)}")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = any(entry == _Entry(host, port) for entry in covering)
        return Source(parts.scheme, Destination(host, port), target, any_address=named)

    def open_bucket(self, url: str) -> tuple[str, str]:
        """Return the bucket and the key in it that an `s3://` address names.

        Raises: SourceRefused: the setting does not name the bucket.
        """
        _check_text(url)
        bucket, _, key = url.removeprefix(BUCKETS).partition("/")
        if bucket not in self.buckets:
            raise SourceRefused(
                f"Content is not fetched from {BUCKETS}{bucket}",
                hint=f"Send a presigned https address, or have the operator name the bucket in {VARIABLE}",
            )
        if not key:
            raise SourceRefused(f"{url} names no file in its bucket")
        return bucket, key


def choose_addresses(source: Source, addresses: Sequence[Address], own: Collection[Address] = ()) -> list[Address]:
    """Return the resolved addresses to connect to: all of them, or none.

    Raises: SourceRefused: one is not public, or this machine's `own`, and the setting does not name host and port.
    """
    for address in addresses:
        reason = reason_to_refuse(address) or ("the server's own address" if address in own else None)
        if reason is not None and not source.any_address:
            raise SourceRefused(
                f"{source.destination.host} leads to a {reason}",
                hint=f"If that is meant, the operator names it with its port in {VARIABLE}: `{source.destination}`",
            )
    return list(addresses)


def _check_text(url: str) -> None:
    if len(url) > _LONGEST_URL or fault_of_text(url):
        raise SourceRefused(f"The address is longer than {_LONGEST_URL} characters, or holds some that are no text")


def _split(url: str) -> SplitResult:
    _check_text(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SourceRefused(f"{url!r} is no address: {error}") from error
    if parts.scheme not in _PORTS:
        raise SourceRefused(
            f"Content is not fetched from {parts.scheme or 'such'} addresses",
            hint="Send an http or https address (a presigned one for an object in a cloud store), or upload the file",
        )
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise SourceRefused(f"{parts.scheme} addresses have a host and no user or password in them")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise SourceRefused("The address holds white space or control characters")
    return parts


def _entry_from(entry: str) -> _Entry:
    host, colon, digits = entry.lower().rpartition(":") if not entry.endswith("]") else (entry.lower(), "", "")
    if not colon:
        host, digits = entry.lower(), ""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    port = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else None
    bare = host.removeprefix("*.")
    if (colon and not (port and port < 65536)) or not (host == "*" or ":" in bare or is_name(bare)):
        raise _invalid(entry)
    return _Entry(host.rstrip("."), port)


def _invalid(entry: str) -> SettingInvalid:
    return SettingInvalid(
        f"{VARIABLE} has the entry {entry!r}, which names no host",
        hint="Write `host`, `host:port`, `*.example.com`, `*` or `s3://bucket`, separated by commas",
    )
