"""Which addresses a plugin may reach, and what an operator's exceptions change."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.errors import SettingInvalid
from mixpeek.execution.egress.addresses import reason_to_refuse
from mixpeek.execution.egress.heads import Destination
from mixpeek.execution.egress.policy import EgressPolicy, Refused

PUBLIC = ("8.8.8.8", "1.1.1.1", "151.101.1.6", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8")
REFUSED = {
    "127.0.0.1": "loopback", "127.255.255.254": "loopback", "0.0.0.0": "unspecified", "0.1.2.3": "unspecified",
    "10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private",
    "100.64.0.1": "private", "100.127.255.255": "private", "169.254.169.254": "link-local", "169.254.0.1": "link-local",
    "168.63.129.16": "metadata", "192.0.0.192": "reserved", "192.0.2.1": "documentation",
    "198.51.100.7": "documentation", "203.0.113.9": "documentation", "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking", "224.0.0.1": "multicast", "239.255.255.250": "multicast", "240.0.0.1": "reserved",
    "255.255.255.255": "reserved", "192.88.99.1": "tunnel",
    "::": "unspecified", "::1": "loopback", "fe80::1": "link-local", "febf::1": "link-local", "fc00::1": "private",
    "fd00:ec2::254": "private", "fec0::1": "private", "ff02::1": "multicast", "2001:db8::1": "documentation",
    "3fff::1": "documentation", "2001:2::1": "benchmarking", "2001:0:4136:e378::1": "tunnel", "2001:10::1": "reserved",
    "::ffff:127.0.0.1": "loopback", "::ffff:169.254.169.254": "link-local", "::127.0.0.1": "reserved",
    "::8.8.8.8": "reserved", "64:ff9b::7f00:1": "loopback", "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b:1::a00:1": "reserved", "2002:7f00:1::": "tunnel", "2002:a00:1::1": "tunnel", "4000::1": "reserved",
}  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_refused(text: str) -> None:
    assert reason_to_refuse(ip_address(text)) is None


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_not_public_is_refused_by_its_kind(text: str) -> None:
    assert REFUSED[text] in str(reason_to_refuse(ip_address(text)))


@given(st.ip_addresses())
def test_whatever_python_calls_private_loopback_or_link_local_is_refused(address: object) -> None:
    found = ip_address(str(address))

    is_special = found.is_private or found.is_loopback or found.is_link_local or found.is_multicast or found.is_reserved
    is_mapped = found.version == 6 and getattr(found, "ipv4_mapped", None) is not None
    if is_special and not is_mapped and not str(found).startswith("64:ff9b::"):
        # Anycast and AS112 ranges inside 192.0.0.0/24 and 2001::/23 that Python calls global are refused as well.
        assert reason_to_refuse(found) is not None


@given(st.ip_addresses(v=4))
def test_every_form_of_an_ipv4_address_in_use_is_judged_as_that_address(address: object) -> None:
    plain = reason_to_refuse(ip_address(str(address)))

    for prefix in ("::ffff:", "64:ff9b::"):
        carried = reason_to_refuse(ip_address(f"{prefix}{address}"))
        assert (carried is None) == (plain is None)
        assert str(carried or "").startswith(plain or "")


def test_a_name_with_one_private_address_among_public_ones_is_refused_as_a_whole() -> None:
    addresses = [ip_address("8.8.8.8"), ip_address("10.0.0.7")]

    for order in (addresses, addresses[::-1]):
        with pytest.raises(Refused, match="private address") as caught:
            EgressPolicy().choose(Destination("mixed.example", 443), order)
        assert caught.value.address == addresses[1]
        assert "10." not in str(caught.value), "what a name of the house resolves to is not told"


def test_the_servers_own_public_address_is_refused() -> None:
    own = ip_address("8.8.4.4")

    with pytest.raises(Refused, match="the server's own address"):
        EgressPolicy().choose(Destination("8.8.4.4", 443), [own], own=[own])


@pytest.mark.parametrize("port", [22, 25, 53, 445, 465, 587, 853, 1023])
def test_of_the_low_ports_only_those_of_the_web_are_allowed(port: int) -> None:
    public = [ip_address("8.8.8.8")]

    assert EgressPolicy().choose(Destination("a.example", 443), public) == public
    assert EgressPolicy().choose(Destination("a.example", 8080), public) == public
    with pytest.raises(Refused, match="only 80 and 443"):
        EgressPolicy().choose(Destination("a.example", port), public)


@pytest.mark.parametrize(
    ("entries", "host", "port", "address"),
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000, "127.0.0.1"),
        ("127.0.0.1:9000", "localhost", 9000, "127.0.0.1"),
        ("models.internal:443", "models.internal", 443, "10.1.2.3"),
        ("Models.Internal.", "models.internal", 11434, "10.1.2.3"),
        ("10.1.0.0/16", "anything.example", 22, "10.1.2.3"),
        ("10.1.0.0/16:8443", "anything.example", 8443, "10.1.2.3"),
        ("[fd00::/8]:443 , 10.0.0.0/8", "v6.internal", 443, "fd00::7"),
        ("[::1]:80", "::1", 80, "::1"),
        ("fd00::7", "v6.internal", 443, "fd00::7"),
    ],
)
def test_an_operators_exception_opens_exactly_what_it_names(entries: str, host: str, port: int, address: str) -> None:
    policy = EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": entries})
    found = [ip_address(address)]

    assert policy.choose(Destination(host, port), found) == found
    with pytest.raises(Refused):
        policy.choose(Destination("other.example", 7), [ip_address("192.168.0.1")])
    with pytest.raises(Refused):
        EgressPolicy().choose(Destination(host, port), found)


def test_of_a_name_s_addresses_only_the_exempted_ones_are_connected_to() -> None:
    policy = EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": "127.0.0.1:9000"})

    chosen = policy.choose(Destination("localhost", 9000), [ip_address("::1"), ip_address("127.0.0.1")])

    assert chosen == [ip_address("127.0.0.1")]


@pytest.mark.parametrize(
    "entry",
    ["10.1.0.1/16", "host:port", "host:0", "host:70000", "http://host", "a@b:80", "[fd00::/8", "*.in", "a/b"],
)
def test_an_exception_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(SettingInvalid, match="MIXPEEK_EGRESS_ALLOW") as caught:
        EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": f"8.8.8.8,{entry}"})

    assert repr(entry) in str(caught.value)


def test_a_switch_that_is_neither_on_nor_off_is_refused() -> None:
    assert EgressPolicy.from_environ({}).enabled
    assert not EgressPolicy.from_environ({"MIXPEEK_EGRESS": "off"}).enabled
    with pytest.raises(SettingInvalid, match="MIXPEEK_EGRESS"):
        EgressPolicy.from_environ({"MIXPEEK_EGRESS": "no"})
