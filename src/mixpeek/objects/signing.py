"""Server-signed URLs: a token that names method, key, expiry and size limit, and cannot be altered."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from mixpeek.errors import AccessError


class SignatureInvalid(AccessError):
    """This signed URL was altered, or is not one of this server's."""

    code = "objects.signature_invalid"
    hint = "Request a fresh upload or download URL"


class SignatureExpired(AccessError):
    """This signed URL has expired."""

    code = "objects.signature_expired"
    hint = "Request a fresh upload or download URL"


@dataclass(frozen=True)
class Grant:
    """What a signed URL allows: one method on one key until `expires_at` (Unix seconds)."""

    method: str
    key: str
    expires_at: int
    limit_bytes: int


class Signer:
    """Signs and checks grants with the server's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, grant: Grant) -> str:
        """Return the URL-safe token of `grant`."""
        fields = [grant.method, grant.key, grant.expires_at, grant.limit_bytes]
        payload = json.dumps(fields, separators=(",", ":")).encode()
        return f"{_encode(payload)}.{_encode(self._mac(payload))}"

    def verify(self, token: str, method: str) -> Grant:
        """Return the grant of `token`.

        Raises: SignatureInvalid, SignatureExpired.
        """
        try:
            payload, mac = (_decode(part) for part in token.split(".", 1))
        except (ValueError, binascii.Error) as error:
            raise SignatureInvalid from error
        if not hmac.compare_digest(mac, self._mac(payload)):
            raise SignatureInvalid
        grant = Grant(*json.loads(payload))
        if grant.method != method:
            raise SignatureInvalid(f"This URL is signed for {grant.method}, not {method}")
        if grant.expires_at < time.time():
            raise SignatureExpired
        return grant

    def _mac(self, payload: bytes) -> bytes:
        return hmac.new(self._secret, payload, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
