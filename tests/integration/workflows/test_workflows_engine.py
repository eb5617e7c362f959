"""Tasks from the outbox to their end: run once, failed with words, and not lost with a database connection."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from dbos import DBOS

from factories.collector import Collector
from factories.waiting import until
from mixpeek import tracing
from mixpeek.db.origin import caused_by
from mixpeek.db.pool import Connection, Database, scalar
from mixpeek.errors import MixpeekError, NotFound
from mixpeek.filters.query import Query
from mixpeek.logging import configure
from mixpeek.tenancy.service import bootstrap, create_namespace
from mixpeek.workflows import tasks
from mixpeek.workflows.engine import WorkflowEngine
from mixpeek.workflows.port import Steps, Workflow

Ran = dict[str, list[str]]
SubmitTask = Callable[..., str]


class Workflows:
    """Small workflows that note which steps ran for which task."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.steps: Ran = {}
        self.most_at_once = 0
        self._running = 0
        self._lock = threading.Lock()

    def all(self) -> list[Workflow]:
        return [
            Workflow("two_steps", self.two_steps),
            Workflow("refused", self.refused),
            Workflow("broken", self.broken),
            Workflow("outage", self.outage),
            Workflow("one_by_one", self.one_by_one, concurrency=1),
            Workflow("in_the_background", self.one_by_one, concurrency=1, poll_s=1.5),
        ]

    def note(self, task_id: str, step: str) -> None:
        self.steps.setdefault(task_id, []).append(step)

    def two_steps(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        steps.step("first", lambda: self.note(task_id, "first"))
        steps.step("second", lambda: self.note(task_id, inputs["second"]))
        self.complete(task_id)

    def refused(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        raise MixpeekError("this cannot be done")

    def broken(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        raise ZeroDivisionError("a bug of ours")

    def outage(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        def lose_the_connection_once() -> None:
            self.note(task_id, "tried")
            with self._database.transaction() as connection:
                if len(self.steps[task_id]) == 1:
                    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        steps.step("lost", lose_the_connection_once)
        self.complete(task_id)

    def one_by_one(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        def count() -> None:
            with self._lock:
                self._running += 1
                self.most_at_once = max(self.most_at_once, self._running)
            with self._database.transaction() as connection:
                connection.execute("SELECT pg_sleep(0.05)")  # long enough to meet another, were there one
            with self._lock:
                self._running -= 1

        steps.step("counted", count)
        self.complete(task_id)

    def complete(self, task_id: str) -> None:
        with self._database.transaction() as connection:
            tasks.update_task(connection, task_id, "COMPLETED", outputs={"done": True})


@pytest.fixture(scope="module")
def workflows(database: Database) -> Workflows:
    """The workflows above."""
    return Workflows(database)


@pytest.fixture(scope="module", autouse=True)
def engine(database: Database, workflows: Workflows) -> Iterator[WorkflowEngine]:
    """An engine that carries them out."""
    running = WorkflowEngine(database, "tests", workflows.all())
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr("mixpeek.workflows.engine.OUTAGE_POLL_S", 0.05)
        quick.setattr("mixpeek.workflows.engine.OUTBOX_POLL_S", 0.2)
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def home(database: Database) -> tuple[str, str]:
    """An organization and a namespace of it."""
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test")
        fields = {
            "namespace_name": "workflows",
            "namespace_type": "standard",
            "description": None,
            "feature_extractors": [],
            "payload_indexes": [],
            "auto_create_indexes": False,
        }
        return organization_id, create_namespace(connection, organization_id, fields).namespace_id


@pytest.fixture
def submit(database: Database, home: tuple[str, str], workflows: Workflows) -> SubmitTask:
    def make(workflow: str, **inputs: Any) -> str:
        with database.transaction() as connection:
            return tasks.submit(
                connection,
                workflow=workflow,
                task_type="plugin_custom",
                organization_id=home[0],
                namespace_id=home[1],
                inputs=inputs,
            )

    return make


@pytest.fixture
def ended(database: Database, home: tuple[str, str]) -> Callable[[str], tasks.Task]:
    """Wait until a task has ended and return it."""

    def wait(task_id: str) -> tasks.Task:
        def look() -> tasks.Task | None:
            with database.transaction() as connection:
                task = tasks.get_task(connection, home[0], task_id)
            return task if task.status in tasks.TERMINAL else None

        found = until(look, what=f"task {task_id} has ended")
        assert found is not None
        return found

    return wait


def test_a_submitted_task_is_carried_out_with_each_step_once(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], workflows: Workflows
) -> None:
    task = ended(submit("two_steps", second="the second"))

    assert (task.status, task.outputs) == ("COMPLETED", {"done": True})
    assert workflows.steps[task.task_id] == ["first", "the second"]


def test_a_task_of_a_transaction_that_is_rolled_back_never_was(
    database: Database, home: tuple[str, str], workflows: Workflows
) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        task_id = tasks.submit(
            connection,
            workflow="two_steps",
            task_type="x",
            organization_id=home[0],
            namespace_id=home[1],
            inputs={"second": "x"},
        )
        raise ZeroDivisionError

    with database.transaction() as connection, pytest.raises(NotFound):
        tasks.get_task(connection, home[0], task_id)


@pytest.mark.parametrize(
    ("workflow", "words"),
    [
        ("refused", "this cannot be done"),
        ("broken", "ZeroDivisionError: a bug of ours"),
        ("unheard_of", "No workflow named 'unheard_of'"),
    ],
)
def test_a_task_that_cannot_be_carried_out_fails_with_the_reason(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], workflow: str, words: str
) -> None:
    task = ended(submit(workflow))

    assert task.status == "FAILED"
    assert words in str(task.error)


def test_a_workflow_and_its_steps_are_traced_below_the_request_that_asked_for_them(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], collector: Collector
) -> None:
    asked = f"00-{'ab' * 16}-{'cd' * 8}-01"
    with caused_by({"traceparent": asked}):
        task = ended(submit("two_steps", second="x"))
    ended(submit("broken"))
    tracing.end()

    (workflow,) = collector.named("two_steps")
    assert (workflow.trace, workflow.parent) == ("ab" * 16, "cd" * 8)
    assert workflow.attributes == {"mixpeek.task_id": task.task_id}
    assert [step.name for step in collector.below(workflow)] == ["first", "second"]
    (broken,) = collector.named("broken")
    assert (broken.parent, broken.is_error, broken.events) == ("", True, ["exception"])
    assert workflow.service == "mixpeek-test"


def test_the_log_of_a_workflow_carries_the_id_of_the_request_that_asked_for_it(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        configure("worker", "info")
        with caused_by({"request_id": "req_asked"}):
            asked = submit("broken")
        ended(asked)
        unasked = submit("broken")
        ended(unasked)
    finally:
        logging.basicConfig(level=level, handlers=before, force=True)

    said = capsys.readouterr().err
    assert f"request=req_asked workflow broken of {asked} failed" in said
    assert f"request=- workflow broken of {unasked} failed" in said


def test_a_step_that_lost_its_database_connection_is_tried_again(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], workflows: Workflows
) -> None:
    task = ended(submit("outage"))

    assert task.status == "COMPLETED", task.error
    assert workflows.steps[task.task_id] == ["tried", "tried"]


def test_a_failure_that_the_database_lost_is_told_all_the_same(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    update, lost = tasks.update_task, []

    def update_and_lose_the_first(connection: Connection, task_id: str, status: str, **fields: Any) -> None:
        update(connection, task_id, status, **fields)
        if not lost:
            lost.append(task_id)
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(tasks, "update_task", update_and_lose_the_first)

    task = ended(submit("refused"))

    assert lost == [task.task_id]
    assert (task.status, task.error) == ("FAILED", "this cannot be done")


def test_a_workflow_is_recovered_however_often_it_was_before(
    database: Database, submit: SubmitTask, ended: Callable[[str], tasks.Task]
) -> None:
    task_id = ended(submit("two_steps", second="b")).task_id

    def status() -> str:
        with database.transaction() as connection:
            found: str = scalar(
                connection, "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = %s", [task_id]
            )
        return found

    until(lambda: status() == "SUCCESS", what="the engine has recorded the end")
    with database.transaction() as connection:
        connection.execute(
            "UPDATE dbos.workflow_status SET status = 'PENDING', recovery_attempts = 1000 WHERE workflow_uuid = %s",
            [task_id],
        )

    DBOS._recover_pending_workflows(["tests"])

    until(lambda: status() not in ("PENDING", "ENQUEUED"), what="it ended again")
    assert status() == "SUCCESS"


def test_the_outbox_is_read_again_whatever_went_wrong(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, raised = tasks.take_from_outbox, []

    def refuse_once(connection: Connection, besides: Iterable[str]) -> tasks.Task | None:
        if not raised:
            raised.append(psycopg.errors.ReadOnlySqlTransaction("cannot execute in a read-only transaction"))
            raise raised[0]
        return read(connection, besides)

    monkeypatch.setattr(tasks, "take_from_outbox", refuse_once)

    assert ended(submit("two_steps", second="b")).status == "COMPLETED"
    assert raised


def test_a_task_that_cannot_be_started_waits_and_keeps_no_other_waiting(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = DBOS.start_workflow, []

    def refuse_the_first(workflow: Any, task_id: str, inputs: dict[str, Any]) -> None:
        if inputs["second"] == "never":
            refused.append(task_id)
            raise ValueError("not this one")
        start(workflow, task_id, inputs)

    monkeypatch.setattr(DBOS, "start_workflow", refuse_the_first)

    first = submit("two_steps", second="never")
    assert ended(submit("two_steps", second="b")).status == "COMPLETED"
    assert set(refused) == {first}

    monkeypatch.undo()
    assert ended(first).status == "COMPLETED"


def test_workflows_with_a_limit_wait_for_each_other(
    submit: SubmitTask, ended: Callable[[str], tasks.Task], workflows: Workflows
) -> None:
    ids = [submit("one_by_one") for _ in range(4)]

    assert {ended(task_id).status for task_id in ids} == {"COMPLETED"}
    assert workflows.most_at_once == 1


def test_a_queue_is_looked_at_as_often_as_its_workflow_says() -> None:
    queues = {name: DBOS.retrieve_queue(name) for name in ("one_by_one", "in_the_background")}

    assert {name: queue and queue.polling_interval_sec for name, queue in queues.items()} == {
        "one_by_one": 0.4,
        "in_the_background": 1.5,
    }


@pytest.mark.parametrize("status", sorted(tasks.TERMINAL))
def test_a_task_that_has_ended_stays_as_it_ended(
    database: Database, home: tuple[str, str], workflows: Workflows, status: str
) -> None:
    with database.transaction() as connection:
        task_id = tasks.submit(
            connection, workflow="two_steps", task_type="x", organization_id=home[0], namespace_id=home[1], inputs={}
        )
        tasks.mark_dispatched(connection, task_id, "tests")
        tasks.update_task(connection, task_id, status, error="as it ended")
        tasks.update_task(connection, task_id, "IN_PROGRESS", error="later")

        task = tasks.get_task(connection, home[0], task_id)

    assert (task.status, task.error) == (status, "as it ended")


def test_progress_adds_up_and_outputs_stay_until_replaced(
    database: Database, home: tuple[str, str], workflows: Workflows
) -> None:
    with database.transaction() as connection:
        task_id = tasks.submit(
            connection, workflow="two_steps", task_type="x", organization_id=home[0], namespace_id=home[1], inputs={}
        )
        tasks.mark_dispatched(connection, task_id, "tests")
        tasks.update_task(connection, task_id, "IN_PROGRESS", outputs={"a": 1}, progress={"p": 1})
        tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"q": 2})

        task = tasks.get_task(connection, home[0], task_id)

    assert (task.outputs, task.additional_data) == ({"a": 1}, {"p": 1, "q": 2})


def test_tasks_are_listed_newest_first_by_namespace_and_status(
    database: Database, home: tuple[str, str], submit: SubmitTask, ended: Callable[[str], tasks.Task]
) -> None:
    older, newer = submit("refused"), submit("refused")
    for task_id in (older, newer):
        ended(task_id)

    with database.transaction() as connection:
        failed = tasks.list_tasks(connection, home[0], [home[1]], Query(100), status="FAILED").rows
        elsewhere = tasks.list_tasks(connection, home[0], ["ns_none"], Query(100)).rows
        waiting = scalar(connection, "SELECT count(*) FROM tasks WHERE dispatched_at IS NULL")

    places = [task.task_id for task in failed]
    assert places.index(newer) < places.index(older)
    assert {task.status for task in failed} == {"FAILED"}
    assert elsewhere == []
    assert waiting == 0


def test_records_of_ended_workflows_are_forgotten_and_their_tasks_stay(
    database: Database,
    home: tuple[str, str],
    engine: WorkflowEngine,
    submit: SubmitTask,
    ended: Callable[[str], tasks.Task],
) -> None:
    task_id = ended(submit("two_steps", second="b")).task_id

    def recorded() -> bool:
        with database.transaction() as connection:
            sql = "SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid = %s AND status = 'SUCCESS'"
            return bool(scalar(connection, sql, [task_id]))

    until(recorded, what="the engine has recorded the end")
    assert engine.forget_finished(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert recorded()

    assert engine.forget_finished(datetime.now(UTC) + timedelta(minutes=1)) > 0

    assert not recorded()
    with database.transaction() as connection:
        assert tasks.get_task(connection, home[0], task_id).status == "COMPLETED"
