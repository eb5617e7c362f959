"""`Mixpeek`: where the settings of a client meet its resources."""

from __future__ import annotations

import os
from types import TracebackType

from mixpeek.client.batches import Batches
from mixpeek.client.collections import Collections
from mixpeek.client.documents import Documents
from mixpeek.client.inference import Inference
from mixpeek.client.models import Models
from mixpeek.client.namespaces import Namespaces
from mixpeek.client.objects import Buckets, Objects
from mixpeek.client.plugins import Plugins
from mixpeek.client.retrievers import Retrievers
from mixpeek.client.secrets import Secrets
from mixpeek.client.tasks import Tasks
from mixpeek.client.transport import DEFAULT_BASE_URL, Transport
from mixpeek.client.webhooks import Webhooks


class Mixpeek:
    """A client of one server.

    Args:
        api_key: default MIXPEEK_API_KEY.
        base_url: default MIXPEEK_BASE_URL, then MIXPEEK_API_URL, then http://127.0.0.1:8000; with or without `/v1`.
        namespace: id or name; default MIXPEEK_NAMESPACE.
        timeout_s: the longest one answer may take.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        namespace: str | None = None,
        *,
        timeout_s: float = 60.0,
    ) -> None:
        url = base_url or os.environ.get("MIXPEEK_BASE_URL") or os.environ.get("MIXPEEK_API_URL") or DEFAULT_BASE_URL
        self._transport = Transport(
            url,
            api_key or os.environ.get("MIXPEEK_API_KEY") or None,
            namespace or os.environ.get("MIXPEEK_NAMESPACE") or None,
            timeout_s,
        )
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

    def __enter__(self) -> Mixpeek:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
