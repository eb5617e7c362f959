"""Everything a request may need, built once per API process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from mixpeek import on_loop
from mixpeek.catalog.intake import Intake
from mixpeek.catalog.uploads import Uploads
from mixpeek.config import Settings
from mixpeek.db.pool import Database
from mixpeek.db.readers import Readers
from mixpeek.documents.port import DocumentStore
from mixpeek.execution.grants import EgressStatus
from mixpeek.execution.sandbox import SandboxStatus
from mixpeek.metrics.exposition import Exposition
from mixpeek.objects.signing import Signer
from mixpeek.objects.store import ObjectStore
from mixpeek.objects.watch import Watch
from mixpeek.plugin_logs.followers import Followers
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.retrieval.context import Outside, Tools
from mixpeek.retrieval.embedding import VectorCache
from mixpeek.retrieval.execution import Executor
from mixpeek.retrieval.explaining import Timings
from mixpeek.retrieval.known_retrievers import KnownRetrievers
from mixpeek.secrets.service import Vault
from mixpeek.serving.replica import Answer
from mixpeek.serving.replicas import Replicas
from mixpeek.serving.routing import Wanted, wanted_from_uri
from mixpeek.tenancy.service import Addresses, Keyring
from mixpeek.upgrades.comparison import Comparison
from mixpeek.webhooks.service import Webhooks
from mixpeek.workflows.waiting import Waiters


@dataclass
class Platform:
    """The rooms of one API process, wired together."""

    settings: Settings
    database: Database
    readers: Readers
    objects: ObjectStore
    objects_watch: Watch
    signer: Signer
    keyring: Keyring
    addresses: Addresses
    vault: Vault
    webhooks: Webhooks
    registry: Registry
    documents: DocumentStore
    intake: Intake
    replicas: Replicas
    log_followers: Followers
    sandbox: SandboxStatus
    egress: EgressStatus
    metrics: Exposition
    loop: asyncio.AbstractEventLoop
    outside: Outside
    task_waiters: Waiters = field(default_factory=Waiters)
    query_vectors: VectorCache = field(default_factory=VectorCache)
    known_retrievers: KnownRetrievers = field(default_factory=KnownRetrievers)
    timings: Timings = field(default_factory=Timings)

    def executor(self, database: Database) -> Executor:
        """Return what executes retrievers on one of the databases that are read."""
        tools = Tools(
            find_version=self.registry.get,
            predict=self.predict,
            infer=self.infer,
            reveal=self.vault.reveal,
            outside=self.outside,
            vectors=self.query_vectors,
            retrievers=self.known_retrievers,
        )
        return Executor(database, self.documents, tools, self.timings)

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.database, self.documents, self.registry, self.predict)

    @property
    def uploads(self) -> Uploads:
        return Uploads(self.database, self.intake, self.documents)

    def predict(self, version: PluginVersion, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """Return a plugin's result to who executes a retriever; hosts are spoken to on the server's loop."""
        return self.ask(version, inputs, parameters).decoded()

    def infer(self, namespace_id: str, name: str, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """Return the result of whichever version a plugin's name, id or feature address leads to.

        Raises: NotFound: no such plugin. NotDeployed: nothing of it is live.
        """

        async def located() -> Answer:
            wanted = wanted_from_uri(name) if name.startswith("mixpeek://") else Wanted(name)
            route = self.replicas.table.by_name.get((namespace_id, name))
            target = route.pick() if route else await self.replicas.locate(namespace_id, wanted)
            return await self.replicas.ask_set(target, inputs, parameters, source="retriever")

        return self._awaited(located()).decoded()

    def ask(self, version: PluginVersion, inputs: dict[str, Any], parameters: dict[str, Any]) -> Answer:
        """Ask a plugin, and return its answer with the version that gave it."""
        return self._awaited(self.replicas.ask(version, inputs, parameters, source="retriever"))

    def _awaited(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for an answer in a worker thread, or as code on the loop does."""
        if on_loop.is_here():
            return on_loop.wait_for(call)
        return asyncio.run_coroutine_threadsafe(call, self.loop).result()
