"""`python -m mixpeek.server.worker`: the process that carries out durable workflows."""

from __future__ import annotations

import gc

gc.disable()  # as in `mixpeek.server.api`

import contextlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from datetime import UTC, datetime, timedelta  # noqa: E402
from pathlib import Path  # noqa: E402

import psycopg  # noqa: E402

from mixpeek import tracing  # noqa: E402
from mixpeek.batches.runner import ChunkRunner  # noqa: E402
from mixpeek.batches.workflow import BatchWorkflow  # noqa: E402
from mixpeek.catalog.retention import (  # noqa: E402
    clear_assets_of_namespaces,
    clear_bucket_uploads,
    clear_unused_assets,
)
from mixpeek.collections.dropping import Dropping  # noqa: E402
from mixpeek.collections.indexing import Indexing  # noqa: E402
from mixpeek.config import Settings  # noqa: E402
from mixpeek.db import processes  # noqa: E402
from mixpeek.deployments.rollout import Rollout  # noqa: E402
from mixpeek.documents.postgres import PostgresDocuments  # noqa: E402
from mixpeek.documents.segment_building import SegmentBuilder  # noqa: E402
from mixpeek.execution.blocking import BlockingExecution  # noqa: E402
from mixpeek.execution.local import LocalExecution  # noqa: E402
from mixpeek.model_store.retention import clear_models  # noqa: E402
from mixpeek.model_store.service import ModelStore  # noqa: E402
from mixpeek.plugin_logs.retention import clear_logs  # noqa: E402
from mixpeek.plugin_logs.writer import LogWriter  # noqa: E402
from mixpeek.registry.retention import Retention  # noqa: E402
from mixpeek.secrets.keys import key_source  # noqa: E402
from mixpeek.secrets.service import Vault  # noqa: E402
from mixpeek.server.process import begin, broker, connect, object_store, registry  # noqa: E402
from mixpeek.webhooks.delivery import Courier  # noqa: E402
from mixpeek.webhooks.retention import clear_events  # noqa: E402
from mixpeek.webhooks.retries import RetryPolicy  # noqa: E402
from mixpeek.webhooks.service import Webhooks, policy_from  # noqa: E402
from mixpeek.workflows.engine import WorkflowEngine  # noqa: E402

log = logging.getLogger(__name__)

# One worker per data dir: a restarted one takes up what the one before it had begun.
EXECUTOR_ID = "worker"
HEARTBEAT_S = 2.0
# A tenth of an ordinary share: deployments and batches still advance while requests take all there is.
NICENESS = 10


class _NoPandas:
    """An import hook. Arrow loads pandas wherever it finds it: 32 MB and half a second, and only hosts use frames."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse pandas; leave every other module to the next hook."""
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas' in the worker", name=name)


def main() -> None:
    settings, data_dir, process_id = begin("worker")
    sys.meta_path.insert(0, _NoPandas())
    _stand_back()
    tracing.begin("mixpeek-worker")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    database = connect(settings, max_connections=12)
    logs = LogWriter(database, keep_bytes=settings.log_bytes_per_plugin).start()
    objects = object_store(settings)
    vault = Vault(key_source(settings.secrets_key, data_dir.path))
    execution = BlockingExecution(LocalExecution(logs=logs, broker=broker(settings, database, objects, vault)))
    plugins = registry(settings, database, objects, execution)
    runner = ChunkRunner(database, PostgresDocuments(), execution, settings.batch_hosts, settings.batch_failed_share)
    workflows = [
        Rollout(database, plugins, execution).workflow(),
        BatchWorkflow(database, plugins, runner, settings.chunk_rows).workflow(),
        Indexing(database, SegmentBuilder(database)).workflow(),
        Dropping(database, PostgresDocuments()).workflow(),
    ]
    engine = WorkflowEngine(database, EXECUTOR_ID, workflows)
    engine.start()
    webhooks = Webhooks(Vault(key_source(settings.secrets_key, data_dir.path)), policy_from(settings.webhook_allow))
    courier = Courier(
        database,
        webhooks,
        RetryPolicy(
            settings.webhook_retry_s, settings.webhook_retry_hours * 3600, settings.webhook_disable_hours * 3600
        ),
        process_id=process_id,
        at_once=settings.webhook_at_once,
    ).start()
    retention = Retention(
        database,
        objects,
        settings.unpacked_dir,
        settings.unpacked_days,
        plugins.environments,
        settings.environment_days,
    )
    threading.Thread(
        target=_clear_forever,
        args=(retention, plugins.models, engine, stopping, settings),
        name="retention",
        daemon=True,
    ).start()
    gc.freeze()
    # Rows are many and hold no cycles: looked through as often as by default, they took a fifth of a batch's time.
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
    while not stopping.is_set():
        try:
            with database.transaction() as connection:
                processes.beat(connection, process_id, "worker", EXECUTOR_ID)
        except psycopg.OperationalError as error:
            log.warning("the database does not answer, trying again: %s", error)
        stopping.wait(HEARTBEAT_S)
    with contextlib.suppress(psycopg.OperationalError), database.transaction() as connection:
        processes.retire(connection, process_id)
    courier.stop()
    # Workflows still running stop at their last commit and go on at the next start; waiting for them could take hours.
    # Their hosts end with this process, never before it: to a batch, a host that dies is a fault of its rows.
    logs.close()
    tracing.end()
    logging.shutdown()
    os._exit(0)


def _stand_back() -> None:
    """Have requests go first where the processors are short: nobody waits for this process by the millisecond."""
    os.nice(NICENESS)
    # Where the kernel groups sessions, niceness counts within one; this process has a session of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def _clear_forever(
    retention: Retention, models: ModelStore, engine: WorkflowEngine, stopping: threading.Event, settings: Settings
) -> None:
    while not stopping.is_set():
        try:
            retention.clear()
            clear_bucket_uploads(models.database, models.objects)
            clear_assets_of_namespaces(models.database, models.objects)
            clear_unused_assets(models.database, models.objects)
            clear_models(models, settings.model_days)
            clear_logs(models.database, settings.log_days, settings.log_bytes_per_plugin)
            clear_events(models.database, settings.webhook_days)
            engine.forget_finished(datetime.now(UTC) - timedelta(days=settings.workflow_days))
        except Exception:
            # The edge of a loop that must not end: what could not be cleared now is met again at the next turn.
            log.exception("leftovers could not be cleared; trying again in %.0f s", settings.retention_interval_s)
        stopping.wait(settings.retention_interval_s)


if __name__ == "__main__":
    main()
