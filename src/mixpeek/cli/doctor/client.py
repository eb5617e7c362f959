"""What a client started here would meet: the server, its version, the API key, the namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from mixpeek import Mixpeek, __version__
from mixpeek.cli.doctor.diagnosis import Diagnosis
from mixpeek.client.addresses import DEFAULT_BASE_URL, root_url
from mixpeek.client.errors import ApiError
from mixpeek.errors import MixpeekError

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Who:
    """Which server is asked, with which key, about which namespace; None: as the environment says."""

    api_key: str | None
    base_url: str | None
    namespace: str | None


def look_at_server(who: Who) -> Iterator[Diagnosis]:
    """Say whether the server answers, is of this version, takes the key, and has the namespace."""
    told = who.base_url or os.environ.get("MIXPEEK_API_URL")
    url = root_url(told or DEFAULT_BASE_URL)
    try:
        answer = httpx.get(f"{url}/v1/health", timeout=_TIMEOUT_S)
        health = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        hint = "Start it with `mixpeek serve`, or name another with MIXPEEK_BASE_URL"
        if told:
            yield Diagnosis("Server", "failed", f"{url}: {error}", hint)
        else:
            yield Diagnosis("Server", "skipped", f"{url}: no server here, and none is named", hint)
        return
    yield from _health(url, answer.status_code, health)
    yield from _access(who, url)


def _health(url: str, status: int, health: Any) -> Iterator[Diagnosis]:
    data, meta = (health.get(name) if isinstance(health, dict) else None for name in ("data", "meta"))
    version = meta.get("version") if isinstance(meta, dict) else None
    if not isinstance(data, dict) or status != 200 or version is None:
        yield Diagnosis("Server", "failed", f"{url} answers {status}, not as Mixpeek does", "Correct MIXPEEK_BASE_URL")
        return
    if version == __version__:
        yield Diagnosis("Server", "passed", f"{url}, version {version}")
    else:
        hint = f"Run `pip install mixpeek=={version}`, or upgrade the server"
        yield Diagnosis("Server", "warned", f"{url} is version {version}, this is {__version__}", hint)
    if not data.get("worker"):
        yield Diagnosis(
            "Worker",
            "failed",
            "none is alive: nothing is deployed or run",
            "Wait a moment if the server has just started, else see its log",
        )
    for fault in health.get("errors") or ():
        yield Diagnosis("Server", "warned", str(fault), "Tell the operator of this server")


def _access(who: Who, url: str) -> Iterator[Diagnosis]:
    with Mixpeek(who.api_key, url, who.namespace, timeout_s=_TIMEOUT_S, max_retries=0) as client:
        try:
            client.namespaces.list(limit=1)
        except ApiError as error:
            if error.status in {401, 403}:
                hint = "Set MIXPEEK_API_KEY to a key of this server; `mixpeek keys create` makes one"
                yield Diagnosis("API key", "failed", error.message, hint)
                return
            yield Diagnosis("API key", "failed", f"{error.status}: {error.message}", error.hint or "")
            return
        except MixpeekError as error:
            yield Diagnosis("API key", "failed", error.message, error.hint or "")
            return
        yield Diagnosis("API key", "passed", "the server takes it")
        if client.namespace is None:
            hint = "Set MIXPEEK_NAMESPACE; `mixpeek namespace create NAME` makes one"
            yield Diagnosis("Namespace", "warned", "none is named", hint)
            return
        try:
            found = client.namespaces.get(client.namespace)
        except MixpeekError as error:
            hint = "Correct MIXPEEK_NAMESPACE; `mixpeek namespace list` shows those there are"
            yield Diagnosis("Namespace", "failed", error.message, hint)
            return
        yield Diagnosis("Namespace", "passed", f"{found.get('namespace_name')} ({found.get('namespace_id')})")
