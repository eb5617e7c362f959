"""Which failed requests are sent again, and after how long: decisions only, no clock and no connection."""

from __future__ import annotations

import random
from collections.abc import Mapping

import httpx

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
# A server that asks for more patience than this is reported instead of waited for.
_LONGEST_WISH_S = 30.0

_PASSING = frozenset({502, 503, 504})
# The server says that it did nothing.
_UNTOUCHED = frozenset({429})


def is_repeatable(method: str) -> bool:
    """Tell whether a method may be sent twice without harm, where the caller does not know better.

    DELETE is not: one that was carried out but whose answer was lost would then be answered by 404.
    """
    return method in {"GET", "HEAD", "PUT"}


def passes(failure: Exception | int, *, repeatable: bool) -> bool:
    """Tell whether to try again after a failure: the status of an answer, or what broke the connection.

    A connection that was never made carried no request, so any may follow; one that broke may have.
    """
    if isinstance(failure, int):
        return failure in _UNTOUCHED or (repeatable and failure in _PASSING)
    if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    # An answer that took too long once would take as long again.
    return repeatable and isinstance(failure, httpx.NetworkError | httpx.RemoteProtocolError)


def pause_s(attempt: int, headers: Mapping[str, str] | None = None) -> float | None:
    """Return the seconds to wait before the next try, the first `attempt` being 0; None if it is not worth it.

    They double from one try to the next, less up to a half by chance, so that many clients do not come back together.
    """
    wish = _seconds((headers or {}).get("Retry-After"))
    if wish is not None:
        return wish if wish <= _LONGEST_WISH_S else None
    doubled: float = min(_FIRST_PAUSE_S * 2.0**attempt, _LONGEST_PAUSE_S)
    return doubled * (1 - random.random() / 2)  # noqa: S311 - no secret


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:  # a date: no server of ours sends one
        return None
