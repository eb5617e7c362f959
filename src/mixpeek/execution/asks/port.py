"""The port to whoever answers hosts: each question is asked in the name of the namespace that the host works for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Generation:
    """What a language model wrote, the model's name, and the tokens it counted."""

    text: str
    model: str
    usage: Mapping[str, int]


@dataclass(frozen=True)
class GenerationRequest:
    """What a language model is asked; see `contract.container.Llm.generate`."""

    prompt: str
    system: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    response_format: Mapping[str, Any] | None = None


class Broker(Protocol):
    """Answers questions; `namespace_id` is None for a host that works for none, as in a test on an author's machine.

    Raises, from every question: contract.asking.Refused, whose words reach the plugin.
    """

    async def asset_size(self, namespace_id: str | None, url: str) -> int:
        """Return how many bytes an asset has."""

    async def read_asset(self, namespace_id: str | None, url: str, offset: int, size: int) -> bytes:
        """Return `size` bytes of an asset from `offset` on, fewer at its end."""

    async def secret(self, namespace_id: str | None, name: str) -> str:
        """Return the value of a secret that is granted to the namespace."""

    async def list_secrets(self, namespace_id: str | None) -> list[str]:
        """Return the names of the secrets that are granted to the namespace."""

    async def generate(self, namespace_id: str | None, request: GenerationRequest) -> Generation:
        """Have a language model answer."""
