"""Which addresses content is fetched from: none unless an operator names the host, never a private one by accident."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from mixpeek.catalog.errors import SourceRefused
from mixpeek.catalog.sources import SourceHosts, choose_addresses
from mixpeek.errors import SettingInvalid

PUBLIC = ip_address("93.184.216.34")


def test_nothing_is_fetched_unless_a_host_is_named() -> None:
    with pytest.raises(SourceRefused) as refused:
        SourceHosts.from_setting("").open("https://example.com/a.png")

    assert "MIXPEEK_SOURCE_HOSTS" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("example.com", "https://example.com/a.png"),
        ("example.com", "HTTP://EXAMPLE.com./a.png"),
        ("other.org, *.example.com", "https://cdn.example.com/a.png?sig=1"),
        ("*", "http://anything.example/"),
        ("files.local:9000", "http://files.local:9000/x"),
        ("[::1]:9000", "http://[::1]:9000/x"),
    ],
)
def test_a_named_host_is_open(setting: str, url: str) -> None:
    assert SourceHosts.from_setting(setting).open(url)


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("example.com", "https://example.org/"),
        ("example.com", "https://example.com.evil.org/"),
        ("example.com", "https://notexample.com/"),
        ("*.example.com", "https://example.com/"),
        ("*.example.com", "https://badexample.com/"),
        ("example.com", "https://example.com:8443/"),
        ("example.com:8443", "https://example.com/"),
        ("*", "http://example.com:9000/"),
        ("example.com", "https://user@example.com/"),
        ("example.com", "https://evil.org#@example.com/"),
        ("example.com", "https://evil.org\\@example.com/"),
        ("example.com", "https://example.com/a b"),
        ("example.com", "https://example.com:99999/"),
        ("example.com", "https:///a"),
        ("*", "http://\ud800/"),
        ("*", "http://example.com/" + "a" * 9000),
        ("*", "file:///etc/passwd"),
        ("*", "s3://bucket/key"),
        ("*", "gopher://example.com/"),
    ],
)
def test_everything_else_is_closed(setting: str, url: str) -> None:
    with pytest.raises(SourceRefused):
        SourceHosts.from_setting(setting).open(url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1"])
@pytest.mark.parametrize("setting", ["example.com", "*", "*.com"])
def test_a_named_host_that_leads_inside_is_refused_whatever_else_it_leads_to(setting: str, address: str) -> None:
    source = SourceHosts.from_setting(setting).open("https://example.com/")

    with pytest.raises(SourceRefused, match="leads to a"):
        choose_addresses(source, [PUBLIC, ip_address(address)])


def test_a_host_that_leads_to_the_server_itself_is_refused() -> None:
    source = SourceHosts.from_setting("example.com").open("https://example.com/")

    with pytest.raises(SourceRefused, match="server's own"):
        choose_addresses(source, [PUBLIC], own=[PUBLIC])


def test_a_private_address_is_reached_where_host_and_port_are_named() -> None:
    hosts = SourceHosts.from_setting("127.0.0.1:9000 127.0.0.1")
    loopback = ip_address("127.0.0.1")

    assert choose_addresses(hosts.open("http://127.0.0.1:9000/"), [loopback]) == [loopback]
    with pytest.raises(SourceRefused, match="loopback"):
        choose_addresses(hosts.open("http://127.0.0.1/"), [loopback])


def test_a_port_named_for_any_host_opens_no_private_address() -> None:
    source = SourceHosts.from_setting("*:9000").open("http://example.com:9000/")

    with pytest.raises(SourceRefused):
        choose_addresses(source, [ip_address("10.0.0.1")])


@pytest.mark.parametrize(
    "entry",
    ["https://example.com", "example.com:port", "example.com:0", "a b/c", "*.", "ex*mple.com", "s3://", "s3://A"],
)
def test_an_entry_that_names_no_host_is_refused_when_the_server_starts(entry: str) -> None:
    with pytest.raises(SettingInvalid, match="MIXPEEK_SOURCE_HOSTS"):
        SourceHosts.from_setting(entry)
