"""Which exceptions of plugin code tell of a network that may answer the next time, and when that may be."""

from __future__ import annotations

import contextlib
from typing import Any

# Asked again at once where the other side names no time.
AT_ONCE_S = 0.0
MOST_RETRY_AFTER_S = 300.0
_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# By name, in any class above the exception's own: nothing here imports a client's library.
_NAMES = frozenset(
    {
        *("ConnectionError", "ConnectError", "ConnectTimeout", "ConnectionTimeout", "ReadTimeout", "WriteTimeout"),
        *("PoolTimeout", "ReadError", "WriteError", "RemoteProtocolError", "ProtocolError", "ProxyError", "Timeout"),
        *("TimeoutException", "TransportError", "APIConnectionError", "RateLimitError", "ServiceUnavailableError"),
        *("gaierror", "IncompleteRead", "ClientConnectionError", "ServerDisconnectedError"),
    }
)
# Our own, with a code that says whether another try may help.
_ASSETS, _PASSING = "AssetUnavailable", frozenset({"unavailable", "timed_out"})
_MOST_CAUSES = 8


def retry_after_s_of(error: BaseException) -> float | None:
    """Return in how many seconds it is worth trying again; None where the exception tells of no such thing."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return None
        with contextlib.suppress(Exception):  # attributes of an author's own classes may do anything
            response = getattr(cause, "response", None)
            if _status(cause, response) in _STATUSES:
                return _retry_after_s(response)
            if _NAMES.intersection(kind.__name__ for kind in type(cause).__mro__):
                return AT_ONCE_S
            if type(cause).__name__ == _ASSETS and getattr(cause, "code", None) in _PASSING:
                return AT_ONCE_S
        cause = cause.__cause__ or cause.__context__
    return None


def _status(error: BaseException, response: Any) -> int | None:
    for holder, name in ((response, "status_code"), (response, "status"), (error, "status_code"), (error, "code")):
        value = getattr(holder, name, None)
        if type(value) is int:
            return value
    return None


def _retry_after_s(response: Any) -> float:
    headers = getattr(response, "headers", None)
    value: Any = None
    if headers is not None:
        value = headers.get("retry-after") or headers.get("Retry-After")
    try:
        return min(MOST_RETRY_AFTER_S, max(0.0, float(value)))
    except (TypeError, ValueError):  # none, or a date: then the caller's own backoff decides
        return AT_ONCE_S
