"""What a client is told once: the server, the key, the namespace, and how patient to be."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mixpeek.client.addresses import DEFAULT_BASE_URL, root_url


@dataclass(frozen=True)
class ClientSettings:
    """The settings of one client.

    Args:
        base_url: without `/v1`.
        timeout_s: the longest one answer may take.
        max_retries: how often a request that may be repeated is sent again after a passing failure.
    """

    base_url: str
    api_key: str | None
    namespace: str | None
    timeout_s: float
    max_retries: int


def settings_from(
    api_key: str | None, base_url: str | None, namespace: str | None, timeout_s: float, max_retries: int
) -> ClientSettings:
    """Return the settings given, the others from the environment: an argument beats a variable."""
    if max_retries < 0:
        raise ValueError("max_retries is a number of repetitions, 0 or more")
    url = base_url or os.environ.get("MIXPEEK_BASE_URL") or os.environ.get("MIXPEEK_API_URL") or DEFAULT_BASE_URL
    return ClientSettings(
        root_url(url),
        api_key or os.environ.get("MIXPEEK_API_KEY") or None,
        namespace or os.environ.get("MIXPEEK_NAMESPACE") or None,
        timeout_s,
        max_retries,
    )
