"""Rate limits per API key, in this process's memory: a bucket of tokens that refills steadily."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixpeek.api.errors import respond
from mixpeek.errors import MixpeekError
from mixpeek.tenancy.service import hash_key, key_in

WINDOW_S = 60
# Buckets not used for longest are dropped first; a dropped one comes back full.
MOST_BUCKETS = 10_000


class TooManyRequests(MixpeekError):
    """This key has sent more requests than it may for now."""

    status, type, code = 429, "TooManyRequestsError", "request.rate_limited"
    hint = "Wait as long as `Retry-After` says, then send the request again"


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and what its headers say."""

    allowed: bool
    remaining: int
    full_in_s: float
    retry_after_s: int


class Buckets:
    """One bucket a key: `per_minute` tokens flow in a minute, at most `burst` are held."""

    def __init__(self, per_minute: int, burst: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.burst = burst or per_minute
        self._per_second = per_minute / WINDOW_S
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> Verdict:
        """Take a token for one request of `key`."""
        now = self._clock()
        bucket = self._buckets.pop(key, None) or _Bucket(float(self.burst), now)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        self._buckets[key] = bucket
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return Verdict(
            allowed,
            int(bucket.tokens),
            (self.burst - bucket.tokens) / self._per_second,
            0 if allowed else max(1, math.ceil((1 - bucket.tokens) / self._per_second)),
        )


class Limit:
    """How many requests a key may send, and how answers tell it; one for all routes of a process."""

    def __init__(self, per_minute: int, burst: int = 0) -> None:
        self._per_minute = per_minute
        self._buckets = Buckets(per_minute, burst)

    def take(self, key: str) -> tuple[list[tuple[bytes, bytes]], TooManyRequests | None]:
        """Take a token for one request of `key`; return the headers of its answer, and the refusal if it is over."""
        verdict = self._buckets.take(hash_key(key))
        headers = [
            (b"x-ratelimit-limit", str(self._per_minute).encode()),
            (b"x-ratelimit-remaining", str(verdict.remaining).encode()),
            (b"x-ratelimit-reset", str(math.ceil(time.time() + verdict.full_in_s)).encode()),
            (b"x-ratelimit-window", str(WINDOW_S).encode()),
        ]
        if verdict.allowed:
            return headers, None
        headers.append((b"retry-after", str(verdict.retry_after_s).encode()))
        refusal = TooManyRequests(
            f"More than {self._per_minute} requests a minute",
            limit=self._per_minute,
            window=WINDOW_S,
            retry_after=verdict.retry_after_s,
        )
        return headers, refusal


class RateLimit:
    """Answers 429 to a key that sends too fast, and tells every other how much it has left."""

    def __init__(self, app: ASGIApp, limit: Limit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope) if scope["type"] == "http" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        headers, refusal = self._limit.take(key)

        async def send_limited(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        if refusal is None:
            await self._app(scope, receive, send_limited)
        else:
            await respond(refusal)(scope, receive, send_limited)


def _key_of(scope: Scope) -> str | None:
    return key_in(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
