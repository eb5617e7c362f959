"""The client: where its settings meet its resources."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mixpeek.client.aio.batches import Batches
from mixpeek.client.aio.buckets import Buckets
from mixpeek.client.aio.collections import Collections
from mixpeek.client.aio.documents import Documents
from mixpeek.client.aio.inference import Inference
from mixpeek.client.aio.models import Models
from mixpeek.client.aio.namespaces import Namespaces
from mixpeek.client.aio.objects import Objects
from mixpeek.client.aio.plugins import Plugins
from mixpeek.client.aio.retrievers import Retrievers
from mixpeek.client.aio.secrets import Secrets
from mixpeek.client.aio.tasks import Tasks
from mixpeek.client.aio.transport import Transport
from mixpeek.client.aio.webhooks import Webhooks
from mixpeek.client.settings import settings_from


class AsyncMixpeek:
    """A client of one server.

    Args:
        api_key: default MIXPEEK_API_KEY.
        base_url: default MIXPEEK_BASE_URL, then MIXPEEK_API_URL, then http://127.0.0.1:8000; with or without `/v1`.
        namespace: id or name; default MIXPEEK_NAMESPACE.
        timeout_s: the longest one answer may take.
        max_retries: how often a request that does no harm twice is sent again after a passing failure.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        namespace: str | None = None,
        *,
        timeout_s: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self._transport = Transport(settings_from(api_key, base_url, namespace, timeout_s, max_retries))
        self.namespaces = Namespaces(self._transport)
        self.buckets = Buckets(self._transport)
        self.objects = Objects(self._transport)
        self.collections = Collections(self._transport)
        self.documents = Documents(self._transport)
        self.batches = Batches(self._transport)
        self.retrievers = Retrievers(self._transport)
        self.tasks = Tasks(self._transport)
        self.plugins = Plugins(self._transport)
        self.inference = Inference(self._transport)
        self.models = Models(self._transport)
        self.secrets = Secrets(self._transport)
        self.webhooks = Webhooks(self._transport)

    @property
    def base_url(self) -> str:
        """The server's address, without `/v1`."""
        return self._transport.base_url

    @property
    def namespace(self) -> str | None:
        """The namespace that requests are about unless they name another."""
        return self._transport.namespace

    async def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
