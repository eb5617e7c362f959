# Made from mixpeek/client/aio/transport.py by `make client`; change that one.
"""One HTTP connection to one server: headers, repetitions, and answers turned into values or errors."""

from __future__ import annotations

import io
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from mixpeek.client import repeating
from mixpeek.client.addresses import origin
from mixpeek.client.answers import error_from, object_from
from mixpeek.client.errors import ServerUnreachable
from mixpeek.client.events import Event, EventReader
from mixpeek.client.response import Response
from mixpeek.client.settings import ClientSettings
from mixpeek.client.sync.world import Http, off_loop, sleep

BytesSent = Callable[[int], Any]

_UPLOAD_BLOCK_BYTES = 256 * 1024


class Transport:
    """Sends requests; knows nothing about resources."""

    def __init__(self, settings: ClientSettings) -> None:
        self.base_url = settings.base_url
        self.namespace = settings.namespace
        self._api_key = settings.api_key
        self._max_retries = settings.max_retries
        # Proxy settings of the environment are honoured except for this machine itself.
        self._http = Http(
            timeout=httpx.Timeout(settings.timeout_s, connect=10.0),
            follow_redirects=False,
            verify=_trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        namespace: str | None = None,
        timeout_s: float | None = None,
        repeatable: bool | None = None,
    ) -> Response:
        """Return the JSON object that `/v1{path}` answers; raise ApiError or ServerUnreachable.

        Args: repeatable: sent twice it does no harm, so that a broken connection is no error yet; None goes by method.
        """
        return object_from(
            self._ask(
                method, path, namespace=namespace, query=query, timeout_s=timeout_s, repeatable=repeatable, json=body
            )
        )

    def post_form(
        self, path: str, fields: Mapping[str, str], file: tuple[str, bytes, str], *, timeout_s: float | None = None
    ) -> Response:
        """Send a multipart form, the `file` (name, content, type) in the field `file`, and return its JSON answer."""
        return object_from(
            self._ask("POST", path, timeout_s=timeout_s, data=dict(fields), files={"file": file}),
        )

    def get_bytes(self, path: str, accept: str) -> bytes:
        """Return what `/v1{path}` answers in the media type `accept`."""
        answer = self._ask("GET", path, accept=accept)
        return answer.content

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        silence_s: float,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
    ) -> Iterator[Iterator[Event | None]]:
        """Yield the events of the stream that `/v1{path}` answers with, and None for each sign of life between them.

        Raises: ApiError: the server refuses. ServerUnreachable: no answer, the connection broke, or nothing came for
        `silence_s`; also while the events are read.
        """
        url = f"{self.base_url}/v1{path}"
        sent = {**self._headers(None), **(headers or {}), "Accept": "text/event-stream"}
        timeout = httpx.Timeout(silence_s, connect=10.0)
        with _reachable(url):
            with self._http.stream(
                method, url, headers=sent, params=_given(query or {}), timeout=timeout, json=body
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_from(answer)
                yield _events(answer)

    def fetch(self, url: str) -> bytes:
        """Return what is behind a presigned `url`, which needs no key."""
        answer = self._send("GET", url)
        return answer.content

    def put(
        self, url: str, content: bytes | Path, content_type: str, *, progress: BytesSent | None = None
    ) -> str | None:
        """Send `content`, a file's in blocks, to a presigned `url`, which needs no key; return the ETag of the answer.

        Args: progress: called with the number of bytes sent so far.
        """
        size = len(content) if isinstance(content, bytes) else (off_loop(content.stat)).st_size
        answer = self._send(
            "PUT",
            url,
            blocks=lambda: _blocks(content, progress),
            headers={"Content-Type": content_type, "Content-Length": str(size)},
        )
        etag: str | None = answer.headers.get("ETag")
        return etag.strip('"') if etag else None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        namespace: str | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        accept: str = "application/json",
        repeatable: bool | None = None,
        **content: Any,
    ) -> httpx.Response:
        """Send a request with the key; `content` is what httpx calls `json`, `data` or `files`."""
        extra: dict[str, Any] = {} if timeout_s is None else {"timeout": timeout_s}
        return self._send(
            method,
            f"{self.base_url}/v1{path}",
            repeatable=repeatable,
            headers={**self._headers(namespace), "Accept": accept},
            params=_given(query or {}),
            **content,
            **extra,
        )

    def _headers(self, namespace: str | None) -> dict[str, str]:
        headers = {}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if namespace or self.namespace:
            headers["X-Namespace"] = namespace or self.namespace or ""
        return headers

    def _send(
        self,
        method: str,
        url: str,
        *,
        repeatable: bool | None = None,
        blocks: Callable[[], Iterator[bytes]] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Return a successful answer, also after repetitions; `blocks` makes the content anew for each."""
        may_repeat = repeating.is_repeatable(method) if repeatable is None else repeatable
        attempt = 0
        while True:
            content: dict[str, Any] = {} if blocks is None else {"content": blocks()}
            failure: Exception | int
            pause: float | None
            with _reachable(url):
                try:
                    answer = self._http.request(method, url, **arguments, **content)
                except httpx.TransportError as error:
                    failure, pause = error, repeating.pause_s(attempt)
                    if not self._goes_on(attempt, failure, pause, may_repeat):
                        raise
                else:
                    if answer.is_success:
                        return answer
                    failure, pause = answer.status_code, repeating.pause_s(attempt, answer.headers)
                    if not self._goes_on(attempt, failure, pause, may_repeat):
                        raise error_from(answer)
            sleep(pause or 0.0)
            attempt += 1

    def _goes_on(self, attempt: int, failure: Exception | int, pause: float | None, may_repeat: bool) -> bool:
        passing = repeating.passes(failure, repeatable=may_repeat)
        return passing and pause is not None and attempt < self._max_retries


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    """Say of a connection that fails which server it was to."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServerUnreachable(
            f"{origin(url)} did not answer in time", hint="Try again, or look at the server's log"
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServerUnreachable(
            f"No server answers at {origin(url)}: {error}",
            hint="Start one with `mixpeek serve`, or name another with `--base-url` or MIXPEEK_BASE_URL",
        ) from error


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in query.items() if value is not None}


@lru_cache(maxsize=4)
def _trust(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:  # noqa: ARG001 - httpx reads them too
    """Return the certificates trusted in these surroundings; to read them takes longer than most requests."""
    return httpx.create_ssl_context()


def _events(answer: httpx.Response) -> Iterator[Event | None]:
    reader = EventReader()
    for piece in answer.iter_text():
        for event in reader.feed(piece):
            yield event


def _blocks(content: bytes | Path, progress: BytesSent | None) -> Iterator[bytes]:
    sent = 0
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
        while block := off_loop(file.read, _UPLOAD_BLOCK_BYTES):
            yield block
            sent += len(block)
            if progress is not None:
                progress(sent)
