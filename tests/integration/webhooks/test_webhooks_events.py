"""Events: written by the transaction that causes them, for whom they concern, and by none that is undone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from factories.hooks import Place
from mixpeek.batches import queries as batches
from mixpeek.db.pool import Connection, dict_rows, scalar
from mixpeek.registry.queries import append_ledger
from mixpeek.webhooks.event_types import TOLD
from mixpeek.workflows import tasks

NOWHERE = "http://127.0.0.1:9/"


def told(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Return every event there is, oldest first."""
    rows = dict_rows(connection, "SELECT event_type, data FROM events ORDER BY entry")
    return [(row["event_type"], row["data"]) for row in rows]


def kinds(connection: Connection) -> list[str]:
    return [kind for kind, _ in told(connection)]


def test_many_objects_of_one_statement_have_an_event_each(place: Place) -> None:
    hook, _ = place.hook(NOWHERE, "object.created")

    with place.database.transaction() as connection:
        place.add_objects(connection, 500)

    deliveries = place.deliveries(hook)
    assert len(deliveries) == len({each.event_id for each in deliveries}) == 500


def test_what_is_rolled_back_leaves_no_event(place: Place) -> None:
    hook, _ = place.hook(NOWHERE, "*")

    with pytest.raises(RuntimeError), place.database.transaction() as connection:
        place.add_objects(connection)
        assert kinds(connection) == ["object.created"]
        raise RuntimeError

    with place.database.transaction() as connection:
        assert kinds(connection) == []
    assert place.deliveries(hook) == []


def test_nothing_is_written_where_nobody_asked_for_it(place: Place) -> None:
    with place.database.transaction() as connection:
        elsewhere = place.make_namespace(connection)
        bucket = place.make_bucket(connection, elsewhere)
    place.hook(NOWHERE, "plugin.*", "task.failed")
    place.hook(NOWHERE, "object.*", is_active=False)
    place.hook(NOWHERE, "object.*", namespaces=[elsewhere])

    with place.database.transaction() as connection:
        place.add_objects(connection)
        assert kinds(connection) == []
        place.add_objects(connection, bucket_id=bucket)
        assert kinds(connection) == ["object.created"]


def test_one_event_has_a_delivery_for_each_endpoint_that_wants_it(place: Place) -> None:
    hooks = [place.hook(NOWHERE, pattern)[0] for pattern in ("*", "object.*", "object.created", "object.deleted")]

    with place.database.transaction() as connection:
        place.add_objects(connection)

    assert [len(place.deliveries(hook)) for hook in hooks] == [1, 1, 1, 0]
    assert len({delivery.event_id for hook in hooks for delivery in place.deliveries(hook)}) == 1


def test_objects_created_by_one_transaction_are_told_of_together_a_thousand_in_one_event(place: Place) -> None:
    place.hook(NOWHERE, "objects.created.batch")

    place.happen()  # alone
    with place.database.transaction() as connection:
        for count in (1000, 1, 1200):  # by however many statements
            place.add_objects(connection, count)

    with place.database.transaction() as connection:
        events = told(connection)
        left = scalar(connection, "SELECT count(*) FROM created_objects")
    assert [kind for kind, _ in events] == ["objects.created.batch"] * 3
    assert [data["count"] for _, data in events] == [1000, 1000, 201]
    assert len({identifier for _, data in events for identifier in data["object_ids"]}) == 2201
    assert left == 0


def test_an_object_is_told_of_when_it_changes_and_when_it_goes_also_with_its_bucket(place: Place) -> None:
    place.hook(NOWHERE, "object.updated", "object.deleted")

    with place.database.transaction() as connection:
        place.add_objects(connection, 3)
        connection.execute("UPDATE objects SET updated_at = now() WHERE bucket_id = %s", [place.bucket_id])
        assert kinds(connection) == []
        connection.execute("UPDATE objects SET key_prefix = 'x' WHERE bucket_id = %s", [place.bucket_id])
        assert kinds(connection) == ["object.updated"] * 3
        connection.execute("DELETE FROM buckets WHERE bucket_id = %s", [place.bucket_id])
        assert kinds(connection)[3:] == ["object.deleted"] * 3


@pytest.mark.parametrize(
    ("action", "outcome", "kind"),
    [
        ("publish", "published", "plugin.published"),
        ("delete", "deleted", "plugin.deleted"),
        ("deploy", "queued", "deployment.started"),
        ("rollback", "queued", "deployment.started"),
        ("deploy", "deployed", "deployment.deployed"),
        ("deploy", "canary", "deployment.deployed"),
        ("deploy", "batch_only", "deployment.deployed"),
        ("rollback", "activated", "deployment.deployed"),
        ("deploy", "failed", "deployment.failed"),
        ("undeploy", "undeployed", "deployment.undeployed"),
        ("promote", "deployed", "deployment.promoted"),
    ],
)
def test_a_line_of_a_plugin_s_ledger_is_an_event(place: Place, action: str, outcome: str, kind: str) -> None:
    place.hook(NOWHERE, "*")

    with place.database.transaction() as connection:
        details = {"deployment_id": "dep_1", "error": "it broke"}
        append_ledger(
            connection, place.namespace_id, "words", "words_1_0_0", action, outcome, actor="ci", details=details
        )
        ((told_kind, data),) = told(connection)
        resource = scalar(connection, "SELECT resource_id FROM events")

    assert told_kind == kind
    assert resource == ("words_1_0_0" if kind.startswith("plugin") else "dep_1")
    assert (data["plugin_id"], data["outcome"], data["actor"], data["error"]) == (
        "words_1_0_0", outcome, "ci", "it broke",
    )  # fmt: skip


def test_a_plugin_that_is_refused_is_told_of_once(place: Place) -> None:
    place.hook(NOWHERE, "plugin.*")

    with place.database.transaction() as connection:
        connection.execute(
            "INSERT INTO plugin_uploads (upload_id, namespace_id, name, version, version_given, object_key, expires_at)"
            " VALUES ('up_1', %s, 'words', '1.0.0', true, 'k', now())",
            [place.namespace_id],
        )
        for _ in range(2):
            connection.execute("UPDATE plugin_uploads SET state = 'rejected' WHERE upload_id = 'up_1'")
        assert told(connection) == [
            ("plugin.rejected", {"upload_id": "up_1", "name": "words", "version": "1.0.0"}),
        ]


def test_batches_and_tasks_are_told_of_by_their_status_and_not_by_their_progress(place: Place) -> None:
    place.hook(NOWHERE, "batch.*", "task.*", "collection.documents.written")

    with place.database.transaction() as connection:
        task_id = tasks.submit(
            connection,
            workflow="run_batch",
            task_type="batch",
            organization_id=place.organization_id,
            namespace_id=place.namespace_id,
            inputs={"batch_id": "btch_1"},
        )
        batch = {"batch_id": "btch_1", "namespace_id": place.namespace_id, "bucket_ids": [place.bucket_id]}
        batch |= {"collection_ids": ["col_1"], "object_ids": None, "snapshot": 1, "task_id": task_id, "status": "DRAFT"}
        batch |= {"type": "BUCKET", "source_collection_ids": [], "source_filters": None}
        batches.insert_batch(connection, batch)
        batches.start_batch(connection, "btch_1", task_id, 1)
        for _ in range(3):
            assert batches.begin_batch(connection, "btch_1", task_id)
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"rows": 1})
        connection.execute(
            "INSERT INTO batch_chunks (batch_id, collection_id, generation, chunk, object_ids)"
            " VALUES ('btch_1', 'col_1', 1, 0, '{o}')"
        )
        connection.execute(
            "UPDATE batch_chunks SET committed_at = now(), written = 5, failed = 1 WHERE batch_id = 'btch_1'"
        )
        assert batches.finish_batch(
            connection, "btch_1", task_id, "COMPLETED_WITH_ERRORS", "one row failed", {"raised": 1}
        )
        tasks.update_task(connection, task_id, "COMPLETED_WITH_ERRORS", error="one row failed")
        events = told(connection)

    assert [kind for kind, _ in events] == [
        "task.created",
        "batch.submitted",
        "task.started",
        "collection.documents.written",
        "batch.completed_with_errors",
        "task.completed_with_errors",
    ]
    assert events[3][1]["written"] == 5
    assert (events[4][1]["error"], events[4][1]["error_summary"]) == ("one row failed", {"raised": 1})
    assert events[5][1]["inputs"] == {"batch_id": "btch_1"}


def test_a_webhook_that_is_deleted_meanwhile_makes_nothing_fail(place: Place) -> None:
    hook, _ = place.hook(NOWHERE, "*")
    is_deleting, may_commit = threading.Event(), threading.Event()

    def delete_slowly() -> None:
        with place.database.transaction() as connection:
            place.webhooks.delete(connection, place.organization_id, hook.webhook_id)
            is_deleting.set()
            may_commit.wait(20)

    deleting = threading.Thread(target=delete_slowly)
    deleting.start()
    assert is_deleting.wait(20)

    with place.database.transaction() as connection:
        place.add_objects(connection)  # neither waits for the deletion nor trips over it
    may_commit.set()
    deleting.join(20)

    with place.database.transaction() as connection:
        assert kinds(connection) == []


def test_every_kind_that_the_database_tells_of_is_known_and_every_known_one_is_told_of(place: Place) -> None:
    with place.database.transaction() as connection:
        sources = dict_rows(
            connection,
            "SELECT COALESCE(string_agg(prosrc, ' '), '') || COALESCE((SELECT string_agg(pg_get_triggerdef(oid), ' ')"
            " FROM pg_trigger WHERE tgname LIKE 'event%%'), '') AS text FROM pg_proc WHERE proname LIKE 'event%%'",
        )[0]["text"]

    assert [kind for kind in TOLD if kind not in sources] == []
