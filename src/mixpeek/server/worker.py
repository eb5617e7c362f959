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
from collections.abc import Callable  # noqa: E402
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
from mixpeek.db.keeping import clearing  # noqa: E402
from mixpeek.db.lease import Lease, LeaseLost  # noqa: E402
from mixpeek.deployments.rollout import Rollout  # noqa: E402
from mixpeek.documents.segment_building import SegmentBuilder  # noqa: E402
from mixpeek.execution.blocking import BlockingExecution  # noqa: E402
from mixpeek.model_store.retention import clear_models  # noqa: E402
from mixpeek.model_store.service import ModelStore  # noqa: E402
from mixpeek.plugin_logs.retention import clear_logs  # noqa: E402
from mixpeek.plugin_logs.writer import LogWriter  # noqa: E402
from mixpeek.registry.retention import Retention  # noqa: E402
from mixpeek.secrets.keys import key_source  # noqa: E402
from mixpeek.secrets.service import Vault  # noqa: E402
from mixpeek.server.process import begin, broker, connect, document_store, object_store, refusing, registry  # noqa: E402
from mixpeek.server.process import execution as execution_of  # noqa: E402
from mixpeek.webhooks.delivery import Courier  # noqa: E402
from mixpeek.webhooks.retention import clear_events  # noqa: E402
from mixpeek.webhooks.retries import RetryPolicy  # noqa: E402
from mixpeek.webhooks.service import Webhooks, policy_from  # noqa: E402
from mixpeek.workflows.engine import WorkflowEngine  # noqa: E402
from mixpeek.workflows.recovery import Recovery  # noqa: E402

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
# How often dead workers are looked for; who may be dead has been silent for longer.
RECOVERY_S = 2.0
# How often vectors that no longer count are forgotten by a store of their own.
SWEEP_S = 5.0
# A tenth of an ordinary share: deployments and batches still advance while requests take all there is.
NICENESS = 10


class _NoPandas:
    """An import hook. Arrow loads pandas wherever it finds it: 32 MB and half a second, and only hosts use frames."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse pandas; leave every other module to the next hook."""
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas' in the worker", name=name)


def main() -> None:
    with refusing():
        _work()


def _work() -> None:
    settings, data_dir, process_id = begin("worker")
    sys.meta_path.insert(0, _NoPandas())
    _stand_back()
    tracing.begin("mixpeek-worker")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    database = connect(settings, max_connections=settings.worker_connections)
    lease = Lease(database.url, process_id)
    lease.take()
    logs = LogWriter(database, keep_bytes=settings.log_bytes_per_plugin).start()
    objects = object_store(settings)
    vault = Vault(key_source(settings.secrets_key, data_dir.path))
    source = execution_of(settings, logs, broker(settings, database, objects, vault))
    execution = BlockingExecution(source)
    plugins = registry(settings, database, objects, execution)
    documents = document_store(settings, database)
    runner = ChunkRunner(
        database,
        documents.store,
        execution,
        settings.batch_hosts or os.cpu_count() or 1,
        settings.batch_failed_share,
        objects.check,
        measure=source.processors if settings.batch_hosts is None else None,
    )
    workflows = [
        Rollout(database, plugins, execution).workflow(),
        BatchWorkflow(database, plugins, runner, settings.chunk_rows).workflow(settings.batches_at_once),
        Indexing(database, SegmentBuilder(database, build_mb=settings.index_build_mb)).workflow(),
        Dropping(database, documents.store).workflow(),
    ]
    engine = WorkflowEngine(database, process_id, workflows)
    engine.start()
    recovery = Recovery(database, process_id, lease, engine.list_executors, engine.take_over)
    recovery.succeed(data_dir.succeed_worker(process_id))
    threading.Thread(target=_recover_forever, args=(recovery, stopping), name="recovery", daemon=True).start()
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
    if documents.sweep is not None:
        threading.Thread(target=_sweep_forever, args=(documents.sweep, stopping), name="sweeping", daemon=True).start()
    gc.freeze()
    # Rows are many and hold no cycles: looked through as often as by default, they took a fifth of a batch's time.
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
    _keep_until(stopping, lease)
    # Its lease it holds to the end of its process: until then nobody takes up what it had under way.
    with contextlib.suppress(psycopg.OperationalError), database.transaction() as connection:
        processes.retire(connection, process_id)
    courier.stop()
    # Workflows still running stop at their last commit and go on at the next start; waiting for them could take hours.
    # Their hosts end with this process, never before it: to a batch, a host that dies is a fault of its rows.
    logs.close()
    tracing.end()
    logging.shutdown()
    os._exit(0)


def _keep_until(stopping: threading.Event, lease: Lease) -> None:
    while not stopping.is_set():
        try:
            lease.keep()
        except LeaseLost as lost:
            # Whoever has its work must have it alone; the supervisor starts another worker here.
            log.error("%s; ending", lost.message)  # noqa: TRY400 - it is no fault to be traced
            os._exit(1)
        except psycopg.Error as error:
            log.warning("the database does not answer, trying again: %s", error)
        stopping.wait(HEARTBEAT_S)


def _stand_back() -> None:
    """Have requests go first where the processors are short: nobody waits for this process by the millisecond."""
    os.nice(NICENESS)
    # Where the kernel groups sessions, niceness counts within one; this process has a session of its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def _recover_forever(recovery: Recovery, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            recovery.look()
        except Exception as error:
            # The edge of a loop that must not end; DBOS tells of a lost database in SQLAlchemy's words.
            log.warning("dead workers could not be looked for, trying again: %s: %s", type(error).__name__, error)
        stopping.wait(RECOVERY_S)


def _clear_forever(
    retention: Retention, models: ModelStore, engine: WorkflowEngine, stopping: threading.Event, settings: Settings
) -> None:
    while not stopping.is_set():
        try:
            with clearing(models.database) as may_clear:
                if may_clear:
                    retention.clear()
                    clear_bucket_uploads(models.database, models.objects)
                    clear_assets_of_namespaces(models.database, models.objects)
                    clear_unused_assets(models.database, models.objects)
                    clear_models(models, settings.model_days)
                else:
                    log.info("a backup is being made: stored objects are cleared at the next turn")
            clear_logs(models.database, settings.log_days, settings.log_bytes_per_plugin)
            clear_events(models.database, settings.webhook_days)
            engine.forget_finished(datetime.now(UTC) - timedelta(days=settings.workflow_days))
        except Exception:
            # The edge of a loop that must not end: what could not be cleared now is met again at the next turn.
            log.exception("leftovers could not be cleared; trying again in %.0f s", settings.retention_interval_s)
        stopping.wait(settings.retention_interval_s)


def _sweep_forever(sweep: Callable[[], int], stopping: threading.Event) -> None:
    while not stopping.wait(SWEEP_S):
        try:
            sweep()
        except Exception:
            # As above.
            log.exception("the store of vectors could not be swept; trying again in %.0f s", SWEEP_S)


if __name__ == "__main__":
    main()
