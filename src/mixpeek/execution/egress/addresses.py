"""Which IP addresses are public, and by what name the others are refused. Pure.

After the registries of special-purpose addresses (RFC 6890 and its updates).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_REFUSED_4 = tuple(
    (IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "unspecified address"),
        ("10.0.0.0/8", "private address"),
        ("100.64.0.0/10", "private address"),
        ("127.0.0.0/8", "loopback address"),
        # A public number, yet the machine that runs a virtual one answers it, with credentials.
        ("168.63.129.16/32", "cloud metadata address"),
        ("169.254.0.0/16", "link-local address"),
        ("172.16.0.0/12", "private address"),
        ("192.0.0.0/24", "reserved address"),
        ("192.0.2.0/24", "documentation address"),
        ("192.88.99.0/24", "tunnel address"),
        ("192.168.0.0/16", "private address"),
        ("198.18.0.0/15", "benchmarking address"),
        ("198.51.100.0/24", "documentation address"),
        ("203.0.113.0/24", "documentation address"),
        ("224.0.0.0/4", "multicast address"),
        ("240.0.0.0/4", "reserved address"),
    )
)
_REFUSED_6 = tuple(
    (IPv6Network(network), name)
    for network, name in (
        ("::/128", "unspecified address"),
        ("::1/128", "loopback address"),
        ("fc00::/7", "private address"),
        ("fe80::/10", "link-local address"),
        ("fec0::/10", "private address"),
        ("ff00::/8", "multicast address"),
        # Teredo and 6to4 carry IPv4 addresses, are out of use, and no service is reached by them alone.
        ("2001::/32", "tunnel address"),
        ("2002::/16", "tunnel address"),
        ("2001:2::/48", "benchmarking address"),
        ("2001::/23", "reserved address"),
        ("2001:db8::/32", "documentation address"),
        ("3fff::/20", "documentation address"),
    )
)
# Forms in use of an IPv4 address, in the last 32 bits: mapped, and NAT64's well-known prefix.
_CARRIERS = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
_GLOBAL_6 = IPv6Network("2000::/3")


def reason_to_refuse(address: Address) -> str | None:
    """Return what kind of address this is if no plugin may reach it, None for a public one."""
    if isinstance(address, IPv4Address):
        return next((name for network, name in _REFUSED_4 if address in network), None)
    if any(address in network for network in _CARRIERS):
        name = reason_to_refuse(IPv4Address(int(address) & 0xFFFFFFFF))
        return name and f"{name} inside an IPv6 one"
    named = next((name for network, name in _REFUSED_6 if address in network), None)
    return named or (None if address in _GLOBAL_6 else "reserved address")
