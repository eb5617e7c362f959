"""Opens a store by its URL: a folder, or a bucket of a cloud store with the credentials of the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mixpeek.errors import SettingInvalid

# `AWS_*` names of the address, as the store's client reads them.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# A store that refuses connections is known to be away within about a second, one that is silent within ten.
_RETRIES = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
# Between two pieces of an answer; a whole one may be gigabytes.
_SILENCE = "30s"
_WHOLE = "15m"


def folder_of_url(url: str) -> Path | None:
    """Return the folder that a `file:` URL names, None for any other URL."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def open_folder(directory: Path, *, make: bool) -> Any:
    """Return the store of a folder, which is closed to others if it is made here; raises FileNotFoundError."""
    from obstore.store import LocalStore

    if make:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif not directory.is_dir():
        raise FileNotFoundError(f"{directory} is not there")
    return LocalStore(prefix=directory)


def open_url(url: str, endpoint: str | None = None) -> Any:
    """Return the store that a URL names; nothing is asked of it yet.

    Args: endpoint: of an S3 store, in place of the one in the environment.
    Raises: SettingInvalid: no store can be made of the URL and the environment.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    address = endpoint or next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    is_plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true") or urlsplit(address).scheme == "http"
    options: dict[str, Any] = {
        "client_options": {
            "connect_timeout": "5s",
            "read_timeout": _SILENCE,
            "timeout": _WHOLE,
            "allow_http": is_plain,
        },
        "retry_config": _RETRIES,
    }
    if address and url.startswith("s3:"):
        options["endpoint"] = address
    try:
        return from_url(url, **options)
    except (BaseError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise SettingInvalid(
            f"MIXPEEK_OBJECTS_URL: no object store can be opened with it: {first}",
            hint="Give it as s3://bucket or s3://bucket/folder; credentials and endpoint come from AWS_* variables",
        ) from error
