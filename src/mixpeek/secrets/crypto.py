"""How values are encrypted: Fernet, with the organization and the name inside, so that no row can stand in for another.

Pure: where the keys come from is `keys`, where the ciphertext goes is `queries`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from mixpeek.secrets.errors import SecretDamaged, SecretsKeyInvalid, SecretsKeyWrong

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_KEY_BYTES = 32


@dataclass(frozen=True)
class Sealed:
    """A value as it is stored: a Fernet token, and which key it takes to open it."""

    ciphertext: str
    key_fingerprint: str


@dataclass(frozen=True)
class MasterKeys:
    """At least one Fernet key: the first encrypts, all of them decrypt."""

    texts: tuple[str, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str, place: str) -> Self:
        """Read keys separated by commas or white space; `place` is what a complaint calls their source.

        Raises: SecretsKeyInvalid: there is none, or one is not 32 bytes in URL-safe base64.
        """
        texts = tuple(part for part in re.split(r"[,\s]+", text) if part)
        if not texts:
            raise SecretsKeyInvalid(f"{place} holds no key")
        for number, each in enumerate(texts, 1):
            if not _is_key(each):
                raise SecretsKeyInvalid(f"Key {number} of {len(texts)} in {place} is no Fernet key")
        return cls(texts)

    def led_by_new(self, in_use: Collection[str]) -> MasterKeys:
        """Return a key made now, and behind it those of these keys whose fingerprints are in use."""
        kept = (text for text, print_ in zip(self.texts, self.fingerprints, strict=True) if print_ in in_use)
        return MasterKeys((new_key(), *kept))

    def without_old(self) -> MasterKeys:
        """Return the first key alone."""
        return MasterKeys(self.texts[:1])

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(fingerprint(text) for text in self.texts)

    @cached_property
    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet  # a server without secrets starts without it

        return MultiFernet([Fernet(text) for text in self.texts])

    def seal(self, organization_id: str, name: str, value: str) -> Sealed:
        """Encrypt a value with the first key, for this organization and name only."""
        envelope = json.dumps({"organization_id": organization_id, "secret_name": name, "value": value})
        return Sealed(self._fernet.encrypt(envelope.encode()).decode(), self.fingerprints[0])

    def open(self, organization_id: str, name: str, sealed: Sealed) -> str:
        """Return the value that was sealed for this organization and name.

        Raises:
            SecretsKeyWrong: it takes another key.
            SecretDamaged: it was changed, or sealed for another name or organization.
        """
        envelope = json.loads(self._decrypted(name, sealed))
        if (envelope["organization_id"], envelope["secret_name"]) != (organization_id, name):
            raise SecretDamaged(f"What is stored as the secret {name!r} was stored under another name")
        value: str = envelope["value"]
        return value

    def reseal(self, name: str, sealed: Sealed) -> Sealed:
        """Return what is sealed, encrypted with the first key; whom it is for stays as it is."""
        return Sealed(self._fernet.encrypt(self._decrypted(name, sealed)).decode(), self.fingerprints[0])

    def unknown(self, fingerprints: Iterable[str]) -> set[str]:
        """Return the fingerprints that are of none of these keys."""
        return set(fingerprints) - set(self.fingerprints)

    def _decrypted(self, name: str, sealed: Sealed) -> bytes:
        from cryptography.fernet import InvalidToken

        if sealed.key_fingerprint not in self.fingerprints:
            raise SecretsKeyWrong(f"The secret {name!r} is encrypted with the key {sealed.key_fingerprint}")
        try:
            return self._fernet.decrypt(sealed.ciphertext)
        except InvalidToken:
            raise SecretDamaged(f"What is stored as the secret {name!r} was changed outside the platform") from None


def new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def fingerprint(key: str) -> str:
    """Return 16 hex digits that tell keys apart and say nothing of the key: it is random, so its hash is too."""
    return hashlib.sha256(b"mixpeek secrets key\0" + base64.urlsafe_b64decode(key)).hexdigest()[:16]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)) == _KEY_BYTES
    except (binascii.Error, UnicodeEncodeError):
        return False
