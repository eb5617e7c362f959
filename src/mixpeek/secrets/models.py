"""Secrets as rows, never with their values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mixpeek.secrets.crypto import Sealed


@dataclass(frozen=True)
class Secret:
    """What is known of a secret beside its value."""

    secret_name: str
    every_namespace: bool
    namespaces: list[str]
    created_at: datetime
    updated_at: datetime
    value_set_at: datetime

    def wire(self) -> dict[str, Any]:
        return {
            "secret_name": self.secret_name,
            "namespaces": None if self.every_namespace else self.namespaces,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "value_set_at": self.value_set_at,
        }


@dataclass(frozen=True)
class SealedSecret:
    """A secret's value as it is stored; `is_granted` is about the namespace that was asked for."""

    organization_id: str
    secret_name: str
    ciphertext: str
    key_fingerprint: str
    is_granted: bool = True

    @property
    def sealed(self) -> Sealed:
        return Sealed(self.ciphertext, self.key_fingerprint)


@dataclass(frozen=True)
class Rotation:
    """How a rotation of the master key went.

    Args:
        reencrypted: rows that another key encrypted before.
        total: rows that the first key encrypts now: all of them.
        place: where the key is kept.
        is_new_key: false where the keys are the operator's, who made the first one.
    """

    reencrypted: int
    total: int
    place: str
    is_new_key: bool
