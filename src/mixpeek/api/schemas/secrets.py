"""Answers about secrets; none has a field for a value."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class Secret(Answer):
    """What is known of a secret beside its value."""

    success: Literal[True]
    secret_name: str
    namespaces: list[str] | None = Field(
        description="Ids of the namespaces that may read it; null means every one, those made later included."
    )
    created_at: datetime
    updated_at: datetime
    value_set_at: datetime = Field(description="When its value was last set.")


class SecretChange(Secret):
    """A secret that was created, changed or deleted; of these three one is true."""

    created: Literal[True] | None = None
    updated: Literal[True] | None = None
    deleted: Literal[True] | None = None


class SecretList(Answer):
    """The names of secrets, in order."""

    secrets: list[str]
    count: int = Field(description="How many names these are.")


class KeyRotation(Answer):
    """How every secret came to be encrypted with another key."""

    success: Literal[True]
    reencrypted: int = Field(description="Secrets that another key encrypted before.")
    total: int = Field(description="Secrets there are; the first key encrypts all of them now.")
    is_new_key: bool = Field(description="Whether the server made the key; false where it is the setting's first.")
    message: str = Field(description="What this means for the key before.")
