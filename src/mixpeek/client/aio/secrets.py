"""`client.secrets`: values the organization entrusts to the server; they go in and never come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.client.addresses import segment
from mixpeek.client.aio.resource import Resource, without_none
from mixpeek.client.response import Response

_PATH = "/organizations/secrets"


class Secrets(Resource):
    """Secrets, by name; every method but `list` takes an admin key."""

    async def create(self, name: str, value: str, *, namespaces: Sequence[str] | None = None) -> Response:
        """Keep a value under a new name.

        Args: namespaces: ids or names of those that may read it; None means every one, an empty list none.
        """
        body = without_none(namespaces=None if namespaces is None else list(namespaces))
        return await self._transport.request("POST", _PATH, body={"secret_name": name, "secret_value": value, **body})

    async def list(self) -> Response:
        """Return `secrets`, the names in order, and their `count`."""
        return await self._transport.request("GET", _PATH)

    async def get(self, name: str) -> Response:
        """Return a secret's `namespaces` and times, never its value."""
        return await self._transport.request("GET", _one(name))

    async def update(self, name: str, value: str) -> Response:
        """Replace the value; the one before is gone."""
        return await self._transport.request("PUT", _one(name), body={"secret_value": value})

    async def set_namespaces(self, name: str, namespaces: Sequence[str] | None) -> Response:
        """Let these namespaces read it and no other; None means every one, an empty list none."""
        body: dict[str, Any] = {"namespaces": None if namespaces is None else [*namespaces]}
        return await self._transport.request("PUT", _one(name), body=body)

    async def grant(self, name: str, namespace: str) -> Response:
        """Let one more namespace read it."""
        return await self._transport.request("PUT", f"{_one(name)}/namespaces/{segment(namespace)}")

    async def revoke(self, name: str, namespace: str) -> Response:
        """Take it from a namespace that it was granted to."""
        return await self._transport.request("DELETE", f"{_one(name)}/namespaces/{segment(namespace)}")

    async def delete(self, name: str) -> Response:
        """Delete a secret; whatever reads it fails from now on."""
        return await self._transport.request("DELETE", _one(name))

    async def rotate_key(self) -> Response:
        """Encrypt every secret with a new master key, or with the first of the server's MIXPEEK_SECRETS_KEY."""
        return await self._transport.request("POST", f"{_PATH}/rotate-key")


def _one(name: str) -> str:
    return f"{_PATH}/{segment(name)}"
