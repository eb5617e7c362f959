"""Fetches content from a source: the name is resolved once, judged, and the judged address is the one connected to."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from mixpeek.catalog.errors import ContentTooLarge, SourceRefused, SourceUnavailable
from mixpeek.catalog.sources import BUCKETS, Source, SourceHosts, choose_addresses
from mixpeek.execution.egress.addresses import Address
from mixpeek.execution.egress.dial import is_own, resolve_name
from mixpeek.objects.store import LocalCopy, local_copy

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
_STEP_TIMEOUT_S = 15.0
_TOTAL_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Fetched:
    """Content that was fetched, on this machine while the context lasts; `url` is where it was in the end."""

    copy: LocalCopy
    url: str
    content_type: str | None


@dataclass(frozen=True)
class Fetcher:
    """Fetches from the hosts an operator has named, up to `limit_bytes` each."""

    hosts: SourceHosts
    limit_bytes: int
    resolve: Callable[[str], Sequence[Address]] = resolve_name

    @contextmanager
    def fetch(self, url: str) -> Iterator[Fetched]:
        """Yield what lies at `url`; every redirect is judged as the first address was.

        Raises: SourceRefused, SourceUnavailable, ContentTooLarge.
        """
        if url.startswith(BUCKETS):
            with local_copy(self._from_bucket(url)) as copy:
                yield Fetched(copy, url, None)
            return
        import httpx

        deadline = time.monotonic() + _TOTAL_TIMEOUT_S
        # Proxies of the environment would be asked to connect in our place, to whatever they resolve the name to.
        with httpx.Client(trust_env=False, timeout=_STEP_TIMEOUT_S, follow_redirects=False) as client:
            for _ in range(REDIRECTS + 1):
                with self._asked(client, url) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["Location"])
                        continue
                    if answer.status_code != 200:
                        raise SourceUnavailable(f"{_shown(url)} answered {answer.status_code}")
                    with local_copy(self._body(answer, url, deadline)) as copy:
                        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                        yield Fetched(copy, url, kind or None)
                    return
        raise SourceUnavailable(f"{_shown(url)} is the {REDIRECTS + 1}th redirect in a row")

    def _from_bucket(self, url: str) -> Iterator[bytes]:
        """Yield the content of a file in a cloud store, read with the server's credentials (`AWS_*` variables)."""
        import obstore
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        bucket, key = self.hosts.open_bucket(url)
        allow_http = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
        size = 0
        try:
            store = from_url(
                f"{BUCKETS}{bucket}",
                client_options={
                    "timeout": f"{_TOTAL_TIMEOUT_S:.0f}s",
                    "connect_timeout": "15s",
                    "allow_http": allow_http,
                },
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=_STEP_TIMEOUT_S)},
            )
            for part in obstore.get(store, key).stream():
                size += len(part)
                self._check_size(size, url)
                yield bytes(part)
        except (BaseError, FileNotFoundError, PermissionError) as error:
            # Its first line says what; the rest are the insides of the client.
            raise SourceUnavailable(f"{url} cannot be fetched: {str(error).splitlines()[0][:200]}") from error

    def _check_size(self, size_bytes: int, url: str) -> None:
        if size_bytes > self.limit_bytes:
            raise ContentTooLarge(f"{_shown(url)} has more than {self.limit_bytes} bytes")

    @contextmanager
    def _asked(self, client: httpx.Client, url: str) -> Iterator[httpx.Response]:
        import httpx

        source = self.hosts.open(url)
        *others, last = self._addresses(source)
        try:
            answer = self._first_answer(client, source, others) or client.send(
                _request(client, source, last), stream=True
            )
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise SourceUnavailable(f"{_shown(url)} cannot be fetched: {error or type(error).__name__}") from error
        try:
            yield answer
        finally:
            answer.close()

    @staticmethod
    def _first_answer(client: httpx.Client, source: Source, addresses: Sequence[Address]) -> httpx.Response | None:
        """Return what the first of these addresses answers that can be connected to; None if there is none."""
        import httpx

        for address in addresses:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return client.send(_request(client, source, address), stream=True)
        return None

    def _addresses(self, source: Source) -> list[Address]:
        host = source.destination.host
        try:
            addresses = self.resolve(host)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, socket.gaierror) else error
            raise SourceUnavailable(f"{host} cannot be resolved ({reason})") from error
        if not addresses:
            raise SourceUnavailable(f"{host} has no address")
        return choose_addresses(source, addresses, [address for address in addresses if is_own(address)])

    def _body(self, answer: httpx.Response, url: str, deadline: float) -> Iterator[bytes]:
        import httpx

        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise SourceRefused(
                f"{_shown(url)} answers with compressed content, although asked not to", hint="Upload the file instead"
            )
        size = 0
        try:
            for chunk in answer.iter_raw():
                size += len(chunk)
                self._check_size(size, url)
                if time.monotonic() > deadline:
                    raise SourceUnavailable(f"{_shown(url)} did not arrive within {_TOTAL_TIMEOUT_S:.0f} s")
                yield chunk
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"{_shown(url)} broke off: {error or type(error).__name__}") from error


def _request(client: httpx.Client, source: Source, address: Address) -> httpx.Request:
    destination = source.destination
    literal = f"[{address}]" if address.version == 6 else str(address)
    host = str(destination)
    return client.build_request(
        "GET",
        f"{source.scheme}://{literal}:{destination.port}{source.target}",
        headers={
            "Host": host.rpartition(":")[0] if source.is_usual_port else host,
            # What is stored is what was sent; nothing is unpacked here.
            "Accept-Encoding": "identity",
        },
        # The certificate is checked against the name, although the address is dialled.
        extensions={"sni_hostname": destination.host},
    )


def _shown(url: str) -> str:
    """Return an address without its query, which often is a signature."""
    return url.partition("?")[0]
