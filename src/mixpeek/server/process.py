"""What the API and the worker process have in common: settings, secrets, and an end with their supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from mixpeek.broker.llm import language_model
from mixpeek.broker.platform import PlatformBroker
from mixpeek.catalog.fetching import Fetcher
from mixpeek.catalog.intake import Intake
from mixpeek.catalog.sources import SourceHosts
from mixpeek.config import Settings
from mixpeek.db.pool import Database
from mixpeek.db.schema import wait_until_migrated
from mixpeek.documents.opening import Documents, open_documents
from mixpeek.errors import ServiceUnavailable, SettingInvalid
from mixpeek.execution.asks.port import Broker
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.environments.store import Environments
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import LogSink
from mixpeek.execution.source import HostSource
from mixpeek.inspection.severities import overrides_from
from mixpeek.logging import configure
from mixpeek.model_store.cache import ModelCache
from mixpeek.model_store.hub import Hub
from mixpeek.model_store.service import ModelStore
from mixpeek.objects.store import ObjectStore
from mixpeek.registry.service import Registry
from mixpeek.secrets.service import Vault
from mixpeek.server.datadir import DataDir
from mixpeek.server.plan import REFUSED
from mixpeek.tenancy.quotas import Quotas

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
# A cluster of the server's own is up within seconds, where its machine is not busy.
_CLUSTER_UP_S, _CLUSTER_POLL_S = 90.0, 0.1


def begin(role: str) -> tuple[Settings, DataDir, str]:
    """Read the settings, set up the log, and make sure this process does not outlive its supervisor."""
    settings = Settings()
    configure(role, settings.log_level, settings.log_format)
    end_with_parent()
    return settings, DataDir(settings.data_dir), f"{role}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """End this process, and by its status the server, where a setting is refused: started again it would be as well."""
    try:
        yield
    except SettingInvalid as error:
        log.error("%s: %s", error.message, error.hint or "correct it")  # noqa: TRY400 - it is no fault to be traced
        logging.shutdown()
        os._exit(REFUSED)


def end_with_parent() -> None:
    """Have the kernel kill this process when its supervisor dies, so that none works on unsupervised."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the call, even before this program ran: loading it takes a second.
    if str(os.getppid()) != os.environ.get("MIXPEEK_SUPERVISOR_PID"):
        os._exit(1)


def connect(settings: Settings, *, max_connections: int) -> Database:
    """Return a pool to the migrated database."""
    assert settings.database_url is not None, "the supervisor sets MIXPEEK_DATABASE_URL"
    database = Database(settings.database_url, max_connections=max_connections)
    wait_until_migrated(settings.database_url)
    database.open()
    return database


def execution(settings: Settings, logs: LogSink, answers: Broker) -> HostSource:
    """Return what starts hosts; a cluster is connected to by the first of them."""
    if settings.execution == "local":
        return LocalExecution(logs=logs, broker=answers)
    # An optional package, and one that takes a second to load.
    from mixpeek.execution.ray.cluster import Cluster
    from mixpeek.execution.ray.execution import RayExecution

    cluster = Cluster(lambda: settings.cluster_address or own_cluster(settings), settings.ray_placement_s)
    return RayExecution(
        cluster, is_own=settings.has_own_cluster, cache_dir=settings.ray_cache_dir, logs=logs, broker=answers
    )


def own_cluster(settings: Settings) -> str:
    """Return the address of the cluster that the supervisor starts, once it is up; raise ServiceUnavailable."""
    deadline = time.monotonic() + _CLUSTER_UP_S
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            return settings.cluster_file.read_text()
        time.sleep(_CLUSTER_POLL_S)
    raise ServiceUnavailable(
        f"The server's own Ray cluster did not start within {_CLUSTER_UP_S:g} s", hint="Its log is the server's"
    )


def registry(settings: Settings, database: Database, objects: ObjectStore, execution: BlockingExecution) -> Registry:
    quotas = Quotas(settings.max_plugins_per_namespace, settings.max_archive_bytes_per_namespace)
    return Registry(
        database, objects, execution, settings.unpacked_dir, settings.max_archive_bytes, environments(settings),
        model_store(settings, database, objects), quotas, overrides_from(settings.rules),
    )  # fmt: skip


def intake(settings: Settings, database: Database, objects: ObjectStore) -> Intake:
    hosts = SourceHosts.from_setting(settings.source_hosts)
    if urlsplit(settings.objects_url or "").netloc in hosts.buckets:
        raise SettingInvalid(
            "MIXPEEK_SOURCE_HOSTS names the bucket that MIXPEEK_OBJECTS_URL names",
            hint="Leave it out: objects of one namespace could be made of the files of all others",
        )
    return Intake(database, objects, Fetcher(hosts, settings.max_blob_bytes), settings.max_blob_bytes)


def model_store(settings: Settings, database: Database, objects: ObjectStore) -> ModelStore:
    hub = None if settings.hub_offline else Hub(settings.hub_url, settings.hub_token, settings.max_model_bytes)
    # Hosts are given these paths, and their own working directory is another.
    cache = ModelCache(settings.models_dir.expanduser().resolve())
    return ModelStore(database, objects, cache, hub, settings.max_model_bytes, settings.max_models_per_namespace)


def environments(settings: Settings) -> Environments:
    index_url = settings.index_url
    return Environments(
        settings.environments_dir.expanduser().resolve(),
        index_url=None if index_url is None else index_url.get_secret_value(),
        wheelhouse=settings.wheelhouse,
        timeout_s=settings.environment_build_timeout_s,
        max_bytes=settings.max_environment_bytes,
    )


def broker(settings: Settings, database: Database, objects: ObjectStore, vault: Vault) -> PlatformBroker:
    model = language_model(settings.llm_url, settings.llm_model, settings.llm_timeout_s)
    return PlatformBroker(database, objects, vault, model, settings.llm_secret)


def document_store(settings: Settings, database: Database) -> Documents:
    key = settings.documents_api_key
    return open_documents(settings.documents_url, None if key is None else key.get_secret_value(), database)


def object_store(settings: Settings) -> ObjectStore:
    return ObjectStore(
        settings.objects_url,
        settings.objects_dir.expanduser().resolve(),
        begun=settings.data_dir.expanduser().resolve() / "objects.begun",
        public_endpoint=settings.objects_public_endpoint,
    )
