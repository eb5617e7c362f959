"""One HTTP connection to one server: addresses, headers, and answers turned into values or errors."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import httpx

from mixpeek.client.errors import ApiError, ServerUnreachable
from mixpeek.client.events import lines_in
from mixpeek.client.response import Response, response_from

DEFAULT_BASE_URL = "http://127.0.0.1:8000"
_UPLOAD_BLOCK_BYTES = 256 * 1024


class Transport:
    """Sends requests; knows nothing about resources."""

    def __init__(self, base_url: str, api_key: str | None, namespace: str | None, timeout_s: float) -> None:
        self.base_url = root_url(base_url)
        self.namespace = namespace
        self._api_key = api_key
        # Proxy settings of the environment are honoured except for this machine itself.
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=10.0),
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
    ) -> Response:
        """Return the JSON object that `/v1{path}` answers; raise ApiError or ServerUnreachable."""
        answer = self._ask(method, path, namespace=namespace, query=query, timeout_s=timeout_s, json=body)
        return self._object_from(answer)

    def post_form(
        self, path: str, fields: Mapping[str, str], file: tuple[str, bytes, str], *, timeout_s: float | None = None
    ) -> Response:
        """Send a multipart form, the `file` (name, content, type) in the field `file`, and return its JSON answer."""
        return self._object_from(self._ask("POST", path, timeout_s=timeout_s, data=dict(fields), files={"file": file}))

    def get_bytes(self, path: str, accept: str) -> bytes:
        """Return what `/v1{path}` answers in the media type `accept`."""
        return self._ask("GET", path, accept=accept).content

    @contextmanager
    def stream(
        self, path: str, *, query: Mapping[str, Any], headers: Mapping[str, str], silence_s: float
    ) -> Iterator[Iterator[str]]:
        """Yield the lines of the event stream that `/v1{path}` answers with.

        Raises: ApiError: the server refuses. ServerUnreachable: no answer, the connection broke, or nothing came for
        `silence_s`; also while the lines are read.
        """
        url = f"{self.base_url}/v1{path}"
        sent = {**self._headers(None), **headers, "Accept": "text/event-stream"}
        timeout = httpx.Timeout(silence_s, connect=10.0)
        with (
            _reachable(url),
            self._http.stream("GET", url, headers=sent, params=_given(query), timeout=timeout) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise _error_from(answer)
            yield lines_in(answer.iter_text())

    def fetch(self, url: str) -> bytes:
        """Return what is behind a presigned `url`, which needs no key."""
        return self._send("GET", url).content

    def _ask(
        self,
        method: str,
        path: str,
        *,
        namespace: str | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        accept: str = "application/json",
        **content: Any,
    ) -> httpx.Response:
        """Send a request with the key; `content` is what httpx calls `json`, `data` or `files`."""
        extra: dict[str, Any] = {} if timeout_s is None else {"timeout": timeout_s}
        return self._send(
            method,
            f"{self.base_url}/v1{path}",
            headers={**self._headers(namespace), "Accept": accept},
            params=_given(query or {}),
            **content,
            **extra,
        )

    def _object_from(self, answer: httpx.Response) -> Response:
        if answer.status_code == httpx.codes.NO_CONTENT:
            return Response()
        try:
            return response_from(answer.content)
        except ValueError as error:
            raise ApiError(
                f"{self.base_url} did not answer with a JSON object",
                status=answer.status_code,
                type="UnusableAnswer",
                hint="Check that `--base-url` or MIXPEEK_BASE_URL names a Mixpeek server",
            ) from error

    def put(self, url: str, content: bytes, content_type: str, *, progress: Any | None = None) -> str | None:
        """Send `content` to a presigned `url`, which needs no key, and return the ETag it answers with.

        Args: progress: called with the number of bytes sent so far.
        """
        headers = {"Content-Type": content_type, "Content-Length": str(len(content))}
        answer = self._send("PUT", url, content=_blocks(content, progress), headers=headers)
        etag: str | None = answer.headers.get("ETag")
        return etag.strip('"') if etag else None

    def _headers(self, namespace: str | None) -> dict[str, str]:
        headers = {}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if namespace or self.namespace:
            headers["X-Namespace"] = namespace or self.namespace or ""
        return headers

    def _send(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        with _reachable(url):
            answer = self._http.request(method, url, **arguments)
        if not answer.is_success:
            raise _error_from(answer)
        return answer


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    """Say of a connection that fails which server it was to."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServerUnreachable(
            f"{_origin(url)} did not answer in time", hint="Try again, or look at the server's log"
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServerUnreachable(
            f"No server answers at {_origin(url)}: {error}",
            hint="Start one with `mixpeek serve`, or name another with `--base-url` or MIXPEEK_BASE_URL",
        ) from error


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in query.items() if value is not None}


def root_url(base_url: str) -> str:
    """Return the address without a trailing slash or `/v1`: both forms of the setting mean the same server."""
    url = base_url.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    return url if "://" in url else f"http://{url}"


def segment(identifier: str) -> str:
    """Return an id or a name, made safe as one segment of a path."""
    if not identifier or identifier in {".", ".."}:
        raise ValueError(f"{identifier!r} is not an id or a name")
    return quote(identifier, safe="")


@lru_cache(maxsize=4)
def _trust(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:  # noqa: ARG001 - httpx reads them too
    """Return the certificates trusted in these surroundings; to read them takes longer than most requests."""
    return httpx.create_ssl_context()


def _blocks(content: bytes, progress: Any | None) -> Iterator[bytes]:
    view = memoryview(content)
    for start in range(0, len(view), _UPLOAD_BLOCK_BYTES):
        yield bytes(view[start : start + _UPLOAD_BLOCK_BYTES])
        if progress is not None:
            progress(min(start + _UPLOAD_BLOCK_BYTES, len(view)))


def _origin(url: str) -> str:
    parts = url.split("/")
    return "/".join(parts[:3]) if len(parts) >= 3 else url


def _error_from(answer: httpx.Response) -> ApiError:
    try:
        body = response_from(answer.content)
    except ValueError:
        body = Response()
    reported = body.get("error")
    error: Mapping[str, Any] = reported if isinstance(reported, dict) else {}
    details = error.get("details")
    details = dict(details) if isinstance(details, dict) else {}
    # A refused upload lists its findings at the root of the answer as well.
    if "validation_errors" in body:
        details.setdefault("validation_errors", body["validation_errors"])
    request_id = answer.headers.get("X-Request-Id") or details.get("request_id")
    return ApiError(
        str(error.get("message") or f"{_origin(str(answer.url))} answered {answer.status_code}"),
        status=answer.status_code,
        type=str(error.get("type") or "UnknownError"),
        code=str(error.get("code") or "api.refused"),
        hint=error.get("hint") or _hint_for(answer.status_code),
        request_id=request_id,
        details=details,
    )


def _hint_for(status: int) -> str | None:
    return {
        401: "Set MIXPEEK_API_KEY or pass `--api-key` with a key of this server",
        404: "Check the id, and that `--base-url` names the server that has it",
        429: "Wait a little, then try again",
    }.get(status)
