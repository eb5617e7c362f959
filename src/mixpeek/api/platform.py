"""Everything a request may need, built once per API process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from mixpeek.catalog.intake import Intake
from mixpeek.catalog.uploads import Uploads
from mixpeek.config import Settings
from mixpeek.db.pool import Database
from mixpeek.documents.port import DocumentStore
from mixpeek.execution.grants import EgressStatus
from mixpeek.execution.sandbox import SandboxStatus
from mixpeek.metrics.exposition import Exposition
from mixpeek.objects.signing import Signer
from mixpeek.objects.store import ObjectStore
from mixpeek.plugin_logs.followers import Followers
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.retrieval.service import Executor
from mixpeek.secrets.service import Vault
from mixpeek.serving.replica import Answer
from mixpeek.serving.replicas import Replicas
from mixpeek.tenancy.service import Addresses, Keyring
from mixpeek.upgrades.comparison import Comparison
from mixpeek.webhooks.service import Webhooks
from mixpeek.workflows.waiting import Waiters


@dataclass
class Platform:
    """The rooms of one API process, wired together."""

    settings: Settings
    database: Database
    objects: ObjectStore
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
    task_waiters: Waiters = field(default_factory=Waiters)

    @property
    def executor(self) -> Executor:
        return Executor(self.database, self.documents, self.registry, self.predict)

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.database, self.documents, self.registry, self.predict)

    @property
    def uploads(self) -> Uploads:
        return Uploads(self.database, self.intake, self.documents)

    def predict(self, version: PluginVersion, inputs: dict[str, Any], parameters: dict[str, Any]) -> Any:
        """Return a plugin's result to a worker thread; hosts are spoken to on the server's loop."""
        return self.ask(version, inputs, parameters).decoded()

    def ask(self, version: PluginVersion, inputs: dict[str, Any], parameters: dict[str, Any]) -> Answer:
        """Ask a plugin from a worker thread, and return its answer with the version that gave it."""
        call = self.replicas.ask(version, inputs, parameters, source="retriever")
        return asyncio.run_coroutine_threadsafe(call, self.loop).result()
