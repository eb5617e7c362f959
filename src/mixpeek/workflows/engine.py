"""The workflow engine: DBOS in the worker process, fed from the outbox of tasks.

DBOS keeps its own tables beside ours, which say what each executor has under way. Workers share the outbox: each task
is started by one of them, and goes on in another when that one is dead (`recovery`).
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from mixpeek import tracing
from mixpeek.db.addresses import sqlalchemy_url
from mixpeek.db.origin import caused_by
from mixpeek.db.pool import Connection, Database, is_away
from mixpeek.errors import MixpeekError
from mixpeek.logging import request_id
from mixpeek.workflows import tasks
from mixpeek.workflows.port import Workflow

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Recovery finds a crashed worker's workflows by this name and version, so both stay the same across restarts.
APPLICATION_VERSION = "1"
OUTBOX_POLL_S = 1.0
FORGET_AT_ONCE = 1000
OUTAGE_POLL_S = 1.0
# How often DBOS looks whether there are messages between workflows to send; there are none here, so seldom.
NOTIFIER_S = 1.0
# Connections that DBOS keeps for itself.
SYSTEM_CONNECTIONS = 6
# Whose share a task takes that belongs to no namespace.
_NO_NAMESPACE = "platform"


class DurableSteps:
    """Steps recorded by DBOS."""

    def step(self, name: str, action: Callable[[], Result]) -> Result:
        def traced() -> Result:
            with tracing.span(name):
                return despite_outages(name, action)

        return DBOS.run_step({"name": name}, traced)

    def repeatable(self, name: str, action: Callable[[], Result]) -> Result:
        return despite_outages(name, action)


def despite_outages(name: str, action: Callable[[], Result]) -> Result:
    """Run a step until the database did not go away under it; a step may be repeated, as after a crash."""
    while True:
        try:
            return action()
        except psycopg.Error as error:
            if not is_away(error):
                raise
            log.warning("step %s lost the database, trying again: %s", name, error)
            time.sleep(OUTAGE_POLL_S)


class WorkflowEngine:
    """Runs `workflows` for the tasks in the outbox until stopped."""

    def __init__(self, database: Database, executor_id: str, workflows: Sequence[Workflow]) -> None:
        self._database = database
        self._executor_id = executor_id
        self._stopping = threading.Event()
        self._dispatcher = threading.Thread(target=self._dispatch_forever, name="outbox", daemon=True)
        DBOS(
            config={
                "name": "mixpeek",
                "system_database_url": sqlalchemy_url(database.url),
                "executor_id": executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "WARNING",
                "sys_db_pool_size": SYSTEM_CONNECTIONS,
                "notification_coalesce_sec": NOTIFIER_S,
            }
        )
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._registered = {workflow.name: self._register(workflow) for workflow in workflows}

    def start(self) -> None:
        """Recover what was running, then take new tasks."""
        DBOS.launch()
        for workflow in self._workflows.values():
            if workflow.concurrency is not None:
                DBOS.register_queue(
                    _queue_of(workflow),
                    worker_concurrency=workflow.concurrency,
                    partition_worker_concurrency=workflow.per_namespace,
                    polling_interval_sec=workflow.poll_s,
                )
        self._dispatcher.start()

    def stop(self) -> None:
        """Stop taking tasks; what is running goes on at the next start."""
        self._stopping.set()
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def list_executors(self) -> set[str]:
        """Return the workers that have something under way, dead ones included."""
        under_way = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {workflow.executor_id for workflow in under_way if workflow.executor_id is not None}

    def take_over(self, executor_id: str) -> int:
        """Make what a dead worker had under way anybody's; return how many tasks that are. Repeating it is harmless."""
        # What DBOS itself does for its own executor at each start, and has no public name for.
        return len(DBOS._recover_pending_workflows([executor_id]))

    def forget_finished(self, before: datetime) -> int:
        """Delete the engine's records of workflows that ended before then; their tasks stay. Return how many."""
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=FORGET_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if ended:
            DBOS.delete_workflows([workflow.workflow_id for workflow in ended])
        return len(ended)

    def _register(self, workflow: Workflow) -> Callable[[str, dict[str, Any]], None]:
        def carry_out(task_id: str, inputs: dict[str, Any]) -> None:
            request_id.set("-")  # this thread may have carried out another
            try:
                # The worker acts in the name of whoever asked for the task.
                origin = despite_outages("origin", lambda: self._origin(task_id))
                asked_by, told = (origin or {}).get("traceparent"), {"mixpeek.task_id": task_id}
                request_id.set((origin or {}).get("request_id") or "-")
                with caused_by(origin), tracing.span(workflow.name, parent=asked_by, attributes=told):
                    workflow.run(DurableSteps(), task_id, inputs)
            except MixpeekError as error:
                failed = error.message
            except Exception as error:
                # The edge of a workflow: whatever it was, the task must say so.
                log.exception("workflow %s of %s failed:\n%s", workflow.name, task_id, traceback.format_exc())
                failed = f"{type(error).__name__}: {error}"
            else:
                return
            despite_outages("failed", lambda: self._fail(task_id, failed))

        # However often a worker crashed meanwhile: a workflow that DBOS gave up would leave its task without an end.
        return DBOS.workflow(name=workflow.name, max_recovery_attempts=None)(carry_out)

    def _origin(self, task_id: str) -> dict[str, Any] | None:
        with self._database.transaction() as connection:
            return tasks.find_origin(connection, task_id)

    def _fail(self, task_id: str, message: str) -> None:
        with self._database.transaction() as connection:
            tasks.update_task(connection, task_id, "FAILED", error=message)

    def _dispatch_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                self._dispatch_until_disconnected()
            except psycopg.OperationalError as error:
                log.warning("the outbox lost its database connection, trying again: %s", error)
            except Exception:
                # The edge of a loop that must not end: a database that is read-only after a failover, say.
                log.exception("the outbox could not be read, trying again")
            self._stopping.wait(OUTBOX_POLL_S)

    def _dispatch_until_disconnected(self) -> None:
        with psycopg.connect(self._database.url, autocommit=True) as listener:
            listener.execute(f"LISTEN {tasks.CHANNEL}")
            while not self._stopping.is_set():
                self._dispatch_outbox()
                for _ in listener.notifies(timeout=OUTBOX_POLL_S, stop_after=1):
                    pass

    def _dispatch_outbox(self) -> None:
        failed: list[str] = []
        while (task := self._dispatch_next(failed)) is not None:
            if not task.is_started:
                failed.append(task.task_id)

    def _dispatch_next(self, failed: Collection[str]) -> _Taken | None:
        """Start the oldest task that no other worker is starting, None if there is none but those that `failed`."""
        with self._database.transaction() as connection:
            task = tasks.take_from_outbox(connection, failed)
            if task is None:
                return None
            try:
                self._dispatch(connection, task)
            except psycopg.OperationalError:
                raise
            except Exception:
                # It stays in the outbox, and keeps no other from being started.
                log.exception("task %s could not be started, trying again", task.task_id)
                return _Taken(task.task_id, is_started=False)
            tasks.mark_dispatched(connection, task.task_id, self._executor_id)
            return _Taken(task.task_id, is_started=True)

    def _dispatch(self, connection: Connection, task: tasks.Task) -> None:
        registered = self._registered.get(task.workflow)
        if registered is None:
            unknown = f"No workflow named {task.workflow!r} in this version of the program"
            tasks.update_task(connection, task.task_id, "FAILED", error=unknown)
            return
        workflow = self._workflows[task.workflow]
        # The task id is the workflow id, so a crash between starting and marking starts nothing twice.
        with SetWorkflowID(task.task_id):
            if workflow.concurrency is None:
                DBOS.start_workflow(registered, task.task_id, task.inputs)
            elif workflow.per_namespace is None:
                DBOS.enqueue_workflow(_queue_of(workflow), registered, task.task_id, task.inputs)
            else:
                with SetEnqueueOptions(queue_partition_key=task.namespace_id or _NO_NAMESPACE):
                    DBOS.enqueue_workflow(_queue_of(workflow), registered, task.task_id, task.inputs)


@dataclass(frozen=True)
class _Taken:
    """A task of the outbox that this worker had a go at."""

    task_id: str
    is_started: bool


def _queue_of(workflow: Workflow) -> str:
    """Return the queue's name. One without shares for namespaces has another: what waits in it is taken from there."""
    return workflow.name if workflow.per_namespace is None else f"{workflow.name}_by_namespace"
