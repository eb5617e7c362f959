# Made from mixpeek/client/aio/session.py by `make client`; change that one.
"""The client: where its settings meet its resources."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mixpeek.client.settings import settings_from
from mixpeek.client.sync.batches import Batches
from mixpeek.client.sync.buckets import Buckets
from mixpeek.client.sync.collections import Collections
from mixpeek.client.sync.documents import Documents
from mixpeek.client.sync.inference import Inference
from mixpeek.client.sync.models import Models
from mixpeek.client.sync.namespaces import Namespaces
from mixpeek.client.sync.objects import Objects
from mixpeek.client.sync.plugins import Plugins
from mixpeek.client.sync.retrievers import Retrievers
from mixpeek.client.sync.secrets import Secrets
from mixpeek.client.sync.tasks import Tasks
from mixpeek.client.sync.transport import Transport
from mixpeek.client.sync.webhooks import Webhooks


class Mixpeek:
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

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
