"""What an operator allows, and whether a plugin may reach one destination. Pure: names are resolved by the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from mixpeek.errors import SettingInvalid
from mixpeek.execution.egress.addresses import Address, reason_to_refuse
from mixpeek.execution.egress.heads import Destination, is_name

SWITCH_VARIABLE = "MIXPEEK_EGRESS"
ALLOW_VARIABLE = "MIXPEEK_EGRESS_ALLOW"

# Below 1024 stand mail, remote shells, file shares and name servers: what an API is not, and abuse is.
_LOW_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024


class Refused(Exception):
    """A plugin may not reach this; the text is the reason.

    `address` is for the log only: what the names of a house resolve to is no plugin's business.
    """

    def __init__(self, reason: str, address: Address | None = None) -> None:
        super().__init__(reason)
        self.address = address


@dataclass(frozen=True)
class Exemption:
    """One entry of such a setting: a name (as requested) or a network, on one port or, if None, on all."""

    target: str | IPv4Network | IPv6Network
    port: int | None

    def covers(self, destination: Destination, address: Address) -> bool:
        """Tell whether an operator wants this to be reachable."""
        if self.port not in (None, destination.port):
            return False
        return destination.host == self.target if isinstance(self.target, str) else address in self.target


@dataclass(frozen=True)
class EgressPolicy:
    """Whether plugins may have a network at all, and what they may reach beyond public addresses."""

    enabled: bool = True
    exemptions: tuple[Exemption, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> EgressPolicy:
        """Read the two variables; raise SettingInvalid naming the entry that cannot be read."""
        switch = environ.get(SWITCH_VARIABLE, "").strip().lower() or "auto"
        if switch not in ("auto", "off"):
            raise SettingInvalid(f"{SWITCH_VARIABLE} is {switch!r}", hint="Set it to `auto` or `off`")
        return cls(switch == "auto", exemptions_from(environ.get(ALLOW_VARIABLE, ""), ALLOW_VARIABLE))

    def choose(
        self, destination: Destination, addresses: Sequence[Address], own: Collection[Address] = ()
    ) -> list[Address]:
        """Return those of the resolved addresses to connect to; raise Refused.

        Only the exempted ones if there are any; else all must be public, and none this machine's `own`.
        """
        exempted = [a for a in addresses if any(exemption.covers(destination, a) for exemption in self.exemptions)]
        if exempted:
            return exempted
        if destination.port < _FIRST_FREE_PORT and destination.port not in _LOW_PORTS:
            raise Refused("of the ports below 1024 only 80 and 443 may be used")
        for address in addresses:
            reason = reason_to_refuse(address) or ("the server's own address" if address in own else None)
            if reason is not None:
                raise Refused(reason, address)
        return list(addresses)


def exemptions_from(text: str, variable: str) -> tuple[Exemption, ...]:
    """Read the entries of a setting, separated by commas or white space; raise SettingInvalid, which names it."""
    try:
        return tuple(_exemption_from(entry) for entry in text.replace(",", " ").split())
    except _EntryInvalid as error:
        raise SettingInvalid(
            f"{variable} has the entry {error.entry!r}: {error}",
            hint="Write `host:port`, `host`, `10.1.0.0/16` or `10.1.0.0/16:443`, separated by commas",
        ) from error


class _EntryInvalid(ValueError):
    def __init__(self, entry: str, why: str) -> None:
        super().__init__(why)
        self.entry = entry


def _exemption_from(entry: str) -> Exemption:
    bare, digits = _split(entry)
    if digits and not 0 < int(digits) < 65536:
        raise _EntryInvalid(entry, "its port is not a number from 1 to 65535")
    port = int(digits) if digits else None
    try:
        return Exemption(ip_network(bare), port)
    except ValueError as error:
        if not is_name(bare):
            raise _EntryInvalid(entry, str(error)) from error
    return Exemption(bare.lower().rstrip("."), port)


def _split(entry: str) -> tuple[str, str]:
    """Part an entry from its port, "" if it has none; IPv6 stands in brackets where a port follows."""
    if entry.startswith("["):
        bare, closed, rest = entry[1:].partition("]")
        if not closed or ":" not in bare:
            raise _EntryInvalid(entry, "brackets stand around an IPv6 address")
        port = rest.removeprefix(":")
    elif entry.count(":") > 1:
        bare, port = entry, ""
    else:
        bare, _, port = entry.partition(":")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise _EntryInvalid(entry, "its port is not a number from 1 to 65535")
    return bare, port
