"""Resolves a name, has every address of it judged, and connects to the very address that was judged."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address

from mixpeek.execution.egress.addresses import Address
from mixpeek.execution.egress.heads import Destination
from mixpeek.execution.egress.policy import EgressPolicy

Resolve = Callable[[str], Sequence[Address]]

CONNECT_TIMEOUT_S = 10.0
_LOOKUPS_AT_ONCE = 2
_MOST_ADDRESSES = 8
# An address of documentation: if a socket can be bound even to it, binding tells nothing about whose it is.
_NOBODYS = IPv4Address("198.51.100.77")


class Unreachable(Exception):
    """A destination that may be reached could not be; the text is the reason."""


class Dialer:
    """Connects for one host; its lookups have threads of their own, so that slow ones delay nobody else."""

    def __init__(
        self, policy: EgressPolicy, resolve: Resolve | None = None, *, lookups_at_once: int = _LOOKUPS_AT_ONCE
    ) -> None:
        self._policy = policy
        self._resolve = resolve or resolve_name
        self._threads = ThreadPoolExecutor(lookups_at_once, thread_name_prefix="egress-names")

    async def dial(self, destination: Destination) -> socket.socket:
        """Return a connected, non-blocking socket; raise Refused or Unreachable."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await _connect_first(await self.choose(destination), destination.port)
        except TimeoutError:
            raise Unreachable(f"it did not answer within {CONNECT_TIMEOUT_S:g} s") from None
        except socket.gaierror as error:
            raise Unreachable(f"the name cannot be resolved ({error.strerror})") from error
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"it cannot be connected to ({error})") from error

    async def choose(self, destination: Destination) -> list[Address]:
        """Return the addresses of a destination that may be connected to; raise Refused or socket.gaierror."""
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self._threads, self._resolve, destination.host)
        own = [address for address in addresses if is_own(address)]
        return self._policy.choose(destination, addresses, own)

    def close(self) -> None:
        """Let lookups end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def resolve_name(host: str) -> Sequence[Address]:
    """Return the addresses of a name, or of an address in any spelling; raise socket.gaierror."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return list(dict.fromkeys(addresses))[:_MOST_ADDRESSES]


def is_own(address: Address) -> bool:
    """Tell whether an address is one of this machine's, whatever interface it stands on."""
    if not _can_bind(address):
        return False
    # With ip_nonlocal_bind any address can be bound; an own one is at least its own source then.
    return not _can_bind(_NOBODYS) or _source_towards(address) == address


def _can_bind(address: Address) -> bool:
    try:
        with _udp_socket(address) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
            return False
        raise
    return True


def _source_towards(address: Address) -> Address | None:
    """Return the address this machine would send from; connecting a datagram socket sends nothing."""
    with _udp_socket(address) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return None
        return ip_address(probe.getsockname()[0])


def _udp_socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)


async def _connect_first(addresses: Sequence[Address], port: int) -> socket.socket:
    share_s = CONNECT_TIMEOUT_S / len(addresses)
    for place, address in enumerate(addresses, start=1):
        try:
            async with asyncio.timeout(share_s):
                return await _connect(address, port)
        except (OSError, TimeoutError):
            if place == len(addresses):
                raise
    raise OSError("the name has no address")


async def _connect(address: Address, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection
