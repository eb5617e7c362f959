"""`python -m mixpeek.server.api`: the process that answers requests and owns the realtime hosts."""

from __future__ import annotations

import gc

gc.disable()  # nothing loaded from here on is garbage; collecting while importing costs a quarter of the start

import asyncio  # noqa: E402
import contextlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
from collections.abc import AsyncIterator  # noqa: E402

import psycopg  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import FastAPI  # noqa: E402

from mixpeek.api.app import create_app  # noqa: E402
from mixpeek.api.platform import Platform  # noqa: E402
from mixpeek.collections.queries import is_used  # noqa: E402
from mixpeek.config import Settings  # noqa: E402
from mixpeek.db import processes  # noqa: E402
from mixpeek.deployments import queries as deployments  # noqa: E402
from mixpeek.deployments.replicas import Replicas  # noqa: E402
from mixpeek.documents.postgres import PostgresDocuments  # noqa: E402
from mixpeek.execution.blocking import BlockingExecution  # noqa: E402
from mixpeek.execution.local import LocalExecution  # noqa: E402
from mixpeek.execution.sandbox import probe  # noqa: E402
from mixpeek.objects.signing import Signer  # noqa: E402
from mixpeek.secrets.keys import key_source  # noqa: E402
from mixpeek.secrets.service import Vault  # noqa: E402
from mixpeek.server.datadir import DataDir  # noqa: E402
from mixpeek.server.process import begin, connect, object_store, registry  # noqa: E402
from mixpeek.server.responses import JoinedProtocol  # noqa: E402
from mixpeek.tenancy import queries as tenancy  # noqa: E402
from mixpeek.tenancy.service import Addresses, Keyring, bootstrap  # noqa: E402

log = logging.getLogger(__name__)


def main() -> None:
    settings, data_dir, process_id = begin("api")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        platform = await _build(settings, data_dir, process_id)
        app.state.platform = platform
        serving = asyncio.create_task(platform.replicas.run_forever())
        _listen_for_changes(platform, process_id)
        gc.freeze()
        gc.enable()
        # What a request leaves behind is freed when it ends; looking for cycles every 700 objects costs it more.
        gc.set_threshold(20_000, 20, 20)
        try:
            yield
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            with platform.database.transaction() as connection:
                processes.retire(connection, process_id)
            platform.database.close()

    app = create_app(
        settings.max_body_bytes,
        lifespan,
        rate_limit_per_minute=settings.rate_limit_per_minute,
        rate_limit_burst=settings.rate_limit_burst,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=15,
        server_header=False,
        loop="uvloop",
        proxy_headers=False,  # read behind the inference route, which asks nobody's address
        http=JoinedProtocol,
    )
    # Given the bare descriptor, uvicorn takes it for a unix socket: answers then wait 40 ms for TCP's delayed ACK.
    listener = socket.socket(fileno=int(os.environ["MIXPEEK_LISTEN_FD"]))
    listener.set_inheritable(False)  # uvloop closes nothing in the hosts that it starts
    uvicorn.Server(config).run(sockets=[listener])


async def _build(settings: Settings, data_dir: DataDir, process_id: str) -> Platform:
    loop = asyncio.get_running_loop()
    database = await asyncio.to_thread(connect, settings, max_connections=20)
    key, _ = data_dir.admin_key(settings.bootstrap_api_key)
    vault = Vault(key_source(settings.secrets_key, data_dir.path))
    with database.transaction() as connection:
        bootstrap(connection, key)
        for fault in vault.prepare(connection):
            log.error("%s", fault)
    objects = object_store(settings)
    execution = LocalExecution()
    plugins = registry(settings, database, objects, BlockingExecution(execution, loop=loop))
    sandbox = await asyncio.to_thread(probe)
    if sandbox.mode != "bubblewrap":
        log.warning("plugins are not isolated: %s", sandbox.detail)
    return Platform(
        settings=settings,
        database=database,
        objects=objects,
        signer=Signer(data_dir.signing_secret()),
        keyring=Keyring(database),
        addresses=Addresses(database),
        vault=vault,
        registry=plugins,
        documents=PostgresDocuments(),
        replicas=Replicas(database, plugins, execution, process_id, settings.replica_idle_s, is_used=is_used),
        sandbox=sandbox,
        egress=execution.grants.egress_status(sandbox.mode),
        loop=loop,
    )


def _listen_for_changes(platform: Platform, process_id: str) -> None:
    """Act on what the database tells of, in a thread that follows its notices: deployments, keys, namespaces.

    Its connection bears the name of this process: while it is open, rollouts wait for hosts here.
    """

    def note(channel: str) -> None:
        if channel == deployments.CHANNEL:
            platform.loop.call_soon_threadsafe(platform.replicas.wake.set)
        else:
            platform.keyring.forget()
            platform.addresses.forget()

    def follow() -> None:
        while True:
            try:
                url = platform.database.url
                with psycopg.connect(url, autocommit=True, application_name=process_id) as connection:
                    for channel in (deployments.CHANNEL, tenancy.CHANNEL):
                        connection.execute(f"LISTEN {channel}")
                    # What changed while nobody listened was not heard.
                    note(deployments.CHANNEL)
                    note(tenancy.CHANNEL)
                    for notice in connection.notifies():
                        note(notice.channel)
            except psycopg.OperationalError as error:
                log.warning("lost the connection that listens for changes, trying again: %s", error)
                threading.Event().wait(1.0)

    threading.Thread(target=follow, name="change-notices", daemon=True).start()


if __name__ == "__main__":
    main()
