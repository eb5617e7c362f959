"""How a delivery is signed, and how its receiver knows that it is ours. Pure, and light to import.

The header is `Mixpeek-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 over `<seconds>.<body>`. While a secret is being
replaced there is one `v1` for each of the two.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from mixpeek.errors import RequestError

SIGNATURE_HEADER = "Mixpeek-Signature"
EVENT_HEADER = "Mixpeek-Event-Id"
DELIVERY_HEADER = "Mixpeek-Delivery-Id"
TYPE_HEADER = "Mixpeek-Event-Type"
_VERSION = "v1"
_MOST_HEADER_CHARACTERS = 1024


class SignatureInvalid(RequestError):
    """This request was not signed with the secret of the webhook, or not recently."""

    code = "webhooks.signature_invalid"
    hint = (
        "Answer 400 and do nothing; if it should be valid, check the secret, the clock, and that the body is unchanged"
    )


def new_secret() -> str:
    """Return a secret with 256 bits of chance."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def sign(body: bytes, keys: Sequence[str], at_s: int) -> str:
    """Return the header for a body that is sent at this second, with a signature by each key."""
    marks = [f"{_VERSION}={_mark(body, key, at_s)}" for key in keys]
    return ",".join([f"t={at_s}", *marks])


def verify(body: bytes, header: str | None, secret: str, tolerance_s: float = 300) -> dict[str, Any]:
    """Return the event in a request that Mixpeek sent.

    Args:
        body: the request's body as it came, before anything parsed it.
        header: the request's `Mixpeek-Signature`.
        secret: the webhook's, as it was shown once.
        tolerance_s: how far the clocks of both sides, and the way between them, may be apart; a request that somebody
            recorded cannot be sent again later.
    Raises: SignatureInvalid: it is not ours, or was changed, or is too old; nothing in it is to be believed.
    """
    at_s, marks = _parts(header)
    wanted = _mark(body, secret, at_s)
    # Every mark is compared, in the same time whether it is right or not.
    if sum([hmac.compare_digest(wanted, mark) for mark in marks]) == 0:
        raise SignatureInvalid("No signature of this request was made with this secret")
    age_s = time.time() - at_s
    if abs(age_s) > tolerance_s:
        raise SignatureInvalid(f"The request was signed {age_s:.0f} seconds ago, which is more than {tolerance_s:g}")
    event: dict[str, Any] = json.loads(body)
    return event


def _mark(body: bytes, key: str, at_s: int) -> str:
    return hmac.new(key.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()


def _parts(header: str | None) -> tuple[int, list[str]]:
    """Return the second and the signatures that a header names; those of a version unknown here are passed over."""
    if not header:
        raise SignatureInvalid(f"The request has no header {SIGNATURE_HEADER}")
    pairs = [part.strip().partition("=") for part in header[:_MOST_HEADER_CHARACTERS].split(",")]
    moments = [value for name, _, value in pairs if name == "t" and value.isascii() and value.isdecimal()]
    marks = [value for name, _, value in pairs if name == _VERSION and value.isascii()]
    if len(moments) != 1 or not marks:
        raise SignatureInvalid(f"The header {SIGNATURE_HEADER} is not of the form `t=<seconds>,{_VERSION}=<hex>`")
    return int(moments[0]), marks
