"""`python -m mixpeek.server.api`: the process that answers requests and owns the realtime hosts."""

from __future__ import annotations

import gc

gc.disable()  # nothing loaded from here on is garbage; collecting while importing costs a quarter of the start

import asyncio  # noqa: E402
import contextlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
from collections.abc import AsyncIterator  # noqa: E402

import uvicorn  # noqa: E402
from fastapi import FastAPI  # noqa: E402

from mixpeek import tracing  # noqa: E402
from mixpeek.api.app import create_app  # noqa: E402
from mixpeek.api.inference import Inference  # noqa: E402
from mixpeek.api.platform import Platform  # noqa: E402
from mixpeek.api.traced import Traced  # noqa: E402
from mixpeek.collections.queries import is_used  # noqa: E402
from mixpeek.config import Settings  # noqa: E402
from mixpeek.db import processes  # noqa: E402
from mixpeek.db.readers import Readers  # noqa: E402
from mixpeek.execution.blocking import BlockingExecution  # noqa: E402
from mixpeek.execution.sandbox import probe  # noqa: E402
from mixpeek.metrics.exposition import Exposition  # noqa: E402
from mixpeek.metrics.platform import PlatformReader  # noqa: E402
from mixpeek.objects.signing import Signer  # noqa: E402
from mixpeek.objects.watch import Watch  # noqa: E402
from mixpeek.plugin_logs.followers import Followers  # noqa: E402
from mixpeek.plugin_logs.writer import LogWriter  # noqa: E402
from mixpeek.retrieval.outside import OutsideCaller  # noqa: E402
from mixpeek.secrets.keys import key_source  # noqa: E402
from mixpeek.secrets.service import Vault  # noqa: E402
from mixpeek.server.datadir import DataDir  # noqa: E402
from mixpeek.server.direct import direct_protocol  # noqa: E402
from mixpeek.server.huge_pages import move_to_huge_pages  # noqa: E402
from mixpeek.server.notices import listen_for_changes  # noqa: E402
from mixpeek.server.process import (  # noqa: E402
    begin,
    broker,
    connect,
    document_store,
    intake,
    object_store,
    refusing,
    registry,
)
from mixpeek.server.process import execution as execution_of  # noqa: E402
from mixpeek.server.responses import JoinedProtocol  # noqa: E402
from mixpeek.serving.replica import Request  # noqa: E402
from mixpeek.serving.replicas import Replicas  # noqa: E402
from mixpeek.serving.tally import Requests  # noqa: E402
from mixpeek.serving.traced_request import TracedRequest  # noqa: E402
from mixpeek.tenancy.service import Addresses, Keyring, bootstrap  # noqa: E402
from mixpeek.webhooks.service import Webhooks, policy_from  # noqa: E402

log = logging.getLogger(__name__)

# A cluster grows, and says by itself where there is no room.
_ANY_CORES = 1_000_000


def main() -> None:
    settings, data_dir, process_id = begin("api")
    tracing.begin("mixpeek-api")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with refusing():
            platform, logs = await _build(settings, data_dir, process_id, app.state.unrouted)
        app.state.platform = platform
        serving = asyncio.create_task(platform.replicas.run_forever())
        logs.start()
        listen_for_changes(platform, process_id)
        gc.freeze()
        gc.enable()
        # What a request leaves behind is freed when it ends; looking for cycles every 700 objects costs it more.
        gc.set_threshold(20_000, 20, 20)
        move_to_huge_pages()
        try:
            yield
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            await asyncio.to_thread(logs.close)
            with platform.database.transaction() as connection:
                processes.retire(connection, process_id)
            platform.readers.close()
            platform.database.close()
            await asyncio.to_thread(tracing.end)

    app = create_app(
        settings.max_body_bytes,
        lifespan,
        rate_limit_per_minute=settings.rate_limit_per_minute,
        rate_limit_burst=settings.rate_limit_burst,
    )
    assert isinstance(app.front, Inference)
    config = uvicorn.Config(
        Traced(app) if tracing.is_on() else app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=15,
        server_header=False,
        loop="uvloop",
        proxy_headers=False,  # read behind the inference route, which asks nobody's address
        # What is answered from within the protocol passes no application, and would leave no trace.
        http=JoinedProtocol if tracing.is_on() else direct_protocol(app.front),
    )
    # Given the bare descriptor, uvicorn takes it for a unix socket: answers then wait 40 ms for TCP's delayed ACK.
    listener = socket.socket(fileno=int(os.environ["MIXPEEK_LISTEN_FD"]))
    listener.set_inheritable(False)  # uvloop closes nothing in the hosts that it starts
    _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, which waits for requests under way when it stops: followed logs would go on for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Have those who follow logs or wait for tasks be answered, then stop."""
        platform: Platform | None = getattr(self.config.app.state, "platform", None)  # type: ignore[union-attr]
        if platform is not None:
            platform.log_followers.close()
            platform.task_waiters.close()
        await super().shutdown(sockets)


async def _build(
    settings: Settings, data_dir: DataDir, process_id: str, unrouted: Requests
) -> tuple[Platform, LogWriter]:
    loop = asyncio.get_running_loop()
    database = await asyncio.to_thread(connect, settings, max_connections=settings.api_connections)
    key, _ = data_dir.admin_key(settings.bootstrap_api_key)
    vault = Vault(key_source(settings.secrets_key, data_dir.path))
    with database.transaction() as connection:
        bootstrap(connection, key)
        for fault in vault.prepare(connection):
            log.error("%s", fault)
    signing_key = None if settings.signing_key is None else settings.signing_key.get_secret_value()
    readers = Readers(
        database,
        settings.database_replica_urls.split(),
        most_lag_s=settings.database_replica_lag_s,
        connections=settings.api_connections,
    ).start()
    objects = object_store(settings)
    logs = LogWriter(database, keep_bytes=settings.log_bytes_per_plugin)
    execution = execution_of(settings, logs, broker(settings, database, objects, vault))
    plugins = registry(settings, database, objects, BlockingExecution(execution, loop=loop))
    sandbox = await asyncio.to_thread(probe)
    if sandbox.mode != "bubblewrap":
        log.warning("plugins are not isolated: %s", sandbox.detail)
    request_class = TracedRequest if tracing.is_on() else Request
    replicas = Replicas(
        database,
        plugins,
        execution,
        process_id,
        settings.replica_idle_s,
        is_used=is_used,
        request_class=request_class,
        cores=None if settings.cluster_address is None else _ANY_CORES,
    )
    platform = Platform(
        settings=settings,
        database=database,
        readers=readers,
        objects=objects,
        objects_watch=Watch(objects),
        signer=Signer(data_dir.signing_secret(signing_key)),
        keyring=Keyring(database),
        addresses=Addresses(database),
        vault=vault,
        webhooks=Webhooks(vault, policy_from(settings.webhook_allow)),
        registry=plugins,
        documents=(await asyncio.to_thread(document_store, settings, database)).store,
        intake=intake(settings, database, objects),
        log_followers=Followers(),
        replicas=replicas,
        sandbox=sandbox,
        egress=execution.grants.egress_status(sandbox.mode),
        metrics=Exposition(PlatformReader(database), unrouted),
        loop=loop,
        outside=OutsideCaller(execution.grants.egress, loop),
    )
    return platform, logs


if __name__ == "__main__":
    main()
