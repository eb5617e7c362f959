"""Fetching from a real server on this machine, whose address the setting names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest

from factories.local_server import Answer, LocalServer
from mixpeek.catalog.errors import ContentTooLarge, SourceRefused, SourceUnavailable
from mixpeek.catalog.fetching import Fetcher
from mixpeek.catalog.sources import SourceHosts
from mixpeek.execution.egress.addresses import Address

LIMIT_BYTES = 1000


@pytest.fixture
def source() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def fetcher(source: LocalServer, *more: str) -> Fetcher:
    named = source.url.removeprefix("http://")
    return Fetcher(SourceHosts.from_setting(" ".join([named, *more])), LIMIT_BYTES)


def fetch(fetcher: Fetcher, url: str) -> tuple[bytes, str | None]:
    with fetcher.fetch(url) as fetched:
        return fetched.copy.file.read(), fetched.content_type


def test_content_is_fetched_as_it_is_with_what_it_is_said_to_be(source: LocalServer) -> None:
    source.on("GET /a.txt", Answer(b"hello", headers={"Content-Type": "Text/Plain; charset=utf-8"}))

    content, content_type = fetch(fetcher(source), f"{source.url}/a.txt?sig=1")

    assert (content, content_type) == (b"hello", "text/plain")
    assert source.asked[0].query == {"sig": "1"}
    assert f"http://{source.asked[0].headers['host']}" == source.url


def test_a_redirect_is_followed_and_judged_anew(source: LocalServer) -> None:
    source.on("GET /here", Answer(b"", 302, {"Location": "/there"}))
    source.on("GET /there", Answer(b"moved"))
    source.on("GET /away", Answer(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data/"}))

    assert fetch(fetcher(source), f"{source.url}/here")[0] == b"moved"
    with pytest.raises(SourceRefused):
        fetch(fetcher(source), f"{source.url}/away")
    with pytest.raises(SourceRefused, match="link-local"):
        fetch(fetcher(source, "*"), f"{source.url}/away")


def test_redirects_that_never_end_are_given_up_on(source: LocalServer) -> None:
    source.on("GET /round", Answer(b"", 302, {"Location": "/round"}))

    with pytest.raises(SourceUnavailable, match="redirect"):
        fetch(fetcher(source), f"{source.url}/round")


def test_the_address_that_was_judged_is_the_one_connected_to(source: LocalServer) -> None:
    asked: list[str] = []

    def rebinding(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    port = source.url.rpartition(":")[2]
    source.on("GET /", Answer(b"ok"))
    own = Fetcher(SourceHosts.from_setting(f"moving.example:{port}"), LIMIT_BYTES, rebinding)

    assert fetch(own, f"http://moving.example:{port}/")[0] == b"ok"
    assert asked == ["moving.example"]
    assert source.asked[0].headers["host"] == f"moving.example:{port}"


def test_of_several_addresses_the_first_that_answers_is_used(source: LocalServer) -> None:
    port = source.url.rpartition(":")[2]
    source.on("GET /", Answer(b"ok"))
    both = [ip_address("127.0.0.2"), ip_address("127.0.0.1")]  # the server listens on the second alone
    own = Fetcher(SourceHosts.from_setting(f"two.example:{port}"), LIMIT_BYTES, lambda _: both)

    assert fetch(own, f"http://two.example:{port}/")[0] == b"ok"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b"x" * (LIMIT_BYTES + 1)), ContentTooLarge),
        (Answer(b"gone", 404), SourceUnavailable),
        (Answer(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), SourceRefused),
    ],
)
def test_what_cannot_be_taken_as_it_is_is_refused(source: LocalServer, answer: Answer, error: type[Exception]) -> None:
    source.on("GET /a", answer)

    with pytest.raises(error):
        fetch(fetcher(source), f"{source.url}/a")


def test_a_bucket_that_is_named_is_read_with_the_servers_credentials(
    source: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ENDPOINT", source.url), ("ALLOW_HTTP", "true"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    facts = {"ETag": '"x"', "Last-Modified": "Sun, 29 Nov 2026 05:00:00 GMT"}
    source.on("GET /our-photos/a/fox.png", Answer(b"bytes", headers=facts))
    source.on("GET /our-photos/large", Answer(b"x" * (LIMIT_BYTES + 1), headers=facts))
    own = Fetcher(SourceHosts.from_setting("s3://our-photos"), LIMIT_BYTES)

    assert fetch(own, "s3://our-photos/a/fox.png")[0] == b"bytes"
    assert "key-of-the-server" in source.asked[0].headers["authorization"]
    with pytest.raises(ContentTooLarge):
        fetch(own, "s3://our-photos/large")
    with pytest.raises(SourceUnavailable, match="s3://our-photos/none"):
        fetch(own, "s3://our-photos/none")
    for closed in ("s3://other-photos/a", "s3://our-photos", "s3://our-photos/"):
        with pytest.raises(SourceRefused):
            fetch(own, closed)


def test_a_source_that_does_not_answer_is_named_without_its_signature(source: LocalServer) -> None:
    own = Fetcher(SourceHosts.from_setting("127.0.0.1:1"), LIMIT_BYTES)

    with pytest.raises(SourceUnavailable) as failed:
        fetch(own, "http://127.0.0.1:1/a?signature=secret")

    assert "http://127.0.0.1:1/a" in failed.value.message
    assert "secret" not in failed.value.message
