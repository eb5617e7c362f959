"""The audit triggers: every change is recorded where it is made, or not made at all."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from mixpeek.audit.models import Event, Filters
from mixpeek.audit.queries import list_events
from mixpeek.db.origin import Origin, caused_by, origin
from mixpeek.db.pool import Connection, Database, dict_rows
from mixpeek.tenancy import keys
from mixpeek.tenancy.service import create_namespace
from mixpeek.workflows import tasks

# Tables whose rows are no resource a caller changes; everything else must be watched.
NOT_AUDITED = {
    "alembic_version": "the schema's own",
    "audit_events": "the audit itself",
    "retired_keys": "hashes; the rotation that wrote them is recorded on the key",
    "plugin_ledger": "append-only itself",
    "tasks": "work that was asked for: what asks for it and what it changes are recorded",
    "processes": "heartbeats",
    "replicas": "what each process has running",
    "shadow_reports": "what each process has counted",
    "collection_generations": "made and replaced with their collection",
    "segments": "where documents are kept",
    "large_indexes": "where documents are kept",
    "text_blocks": "as documents",
    "text_postings": "as documents",
    "text_gone": "as documents",
    "retriever_versions": "written with the change of their retriever, which is recorded",
    "retriever_scrolls": "results of one request",
    "document_keys": "where documents are kept",
    "documents": "made by batches, which are recorded with their counts and outcomes",
    "document_vectors": "as documents",
    "vector_writes": "as documents",
    "vector_points": "where the vectors of documents are kept",
    "vector_removals": "what a store of vectors is yet to forget",
    "schema_floor": "the schema's own",
    "document_watches": "which batches run, which are recorded",
    "document_removals": "what was deleted while they do, which is recorded",
    "document_deletions": "counts of deletions, which are recorded",
    "asset_checks": "files that may be removed, found again from what refers to them",
    "batch_chunks": "as documents",
    "batch_tiers": "how far a batch is; the batch itself is recorded",
    "batch_progress": "counts of what a batch did; the batch itself is recorded",
    "version_models": "what a rollout resolved; the deployment that asked for it is recorded",
    "row_outcomes": "as documents",
    "plugin_logs": "written by the hosts of plugins, not asked for by anybody",
    "events": "what is told of changes that are recorded",
    "created_objects": "empty between transactions",
    "webhook_deliveries": "how events went out; replays are new rows that say whose",
}
KEY = {
    "actor_type": "api_key",
    "actor_id": "key_1",
    "actor_name": "ci",
    "ip_address": "10.0.0.7",
    "request_id": "req_1",
}


def make_namespace(connection: Connection, organization_id: str, name: str = "audited") -> str:
    fields = {
        "namespace_name": name,
        "namespace_type": "standard",
        "description": None,
        "feature_extractors": [],
        "payload_indexes": [],
        "auto_create_indexes": False,
    }
    return create_namespace(connection, organization_id, fields).namespace_id


def make_bucket(connection: Connection, namespace_id: str, bucket_id: str = "bkt_1", schema: str = "{}") -> None:
    connection.execute(
        "INSERT INTO buckets (bucket_id, namespace_id, bucket_name, bucket_schema) VALUES (%s, %s, %s, %s)",
        [bucket_id, namespace_id, f"name of {bucket_id}", schema],
    )


def events_of(connection: Connection, organization_id: str, **filters: Any) -> list[Event]:
    return list_events(connection, organization_id, Filters(**filters), 100, None)


def test_every_table_is_watched_or_says_why_not(connection: Connection) -> None:
    tables = dict_rows(
        connection,
        "SELECT c.relname AS name, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'audit')"
        " AS watched FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace",
    )

    forgotten = [table["name"] for table in tables if not table["watched"] and table["name"] not in NOT_AUDITED]

    assert not forgotten, "add `SELECT audit_watch(...)` to the migration that makes them"


def test_a_change_is_recorded_with_who_made_it_from_where(database: Database, organization_id: str) -> None:
    with caused_by(KEY), database.transaction() as connection:
        namespace_id = make_namespace(connection, organization_id)
        event = events_of(connection, organization_id, resource_id=namespace_id)[0]
        connection.rollback()

    assert (event.resource_type, event.action, event.status) == ("namespace", "create", "success")
    assert (event.actor_id, event.actor_name, event.ip_address, event.request_id) == (
        "key_1",
        "ci",
        "10.0.0.7",
        "req_1",
    )
    assert event.namespace_id == namespace_id
    assert event.changes["before"] is None
    assert event.changes["after"]["namespace_name"] == "audited"


def test_what_nobody_asked_for_is_the_platforms(connection: Connection, organization_id: str) -> None:
    namespace_id = make_namespace(connection, organization_id)
    make_bucket(connection, namespace_id)

    event = events_of(connection, organization_id, resource_type="bucket")[0]

    assert (event.actor_type, event.actor_id) == ("platform", "platform")


def test_an_update_shows_what_changed_and_one_that_changes_nothing_is_no_event(
    connection: Connection, organization_id: str
) -> None:
    make_bucket(connection, make_namespace(connection, organization_id))

    connection.execute("UPDATE buckets SET description = 'new', updated_at = now() WHERE bucket_id = 'bkt_1'")
    connection.execute("UPDATE buckets SET updated_at = clock_timestamp() WHERE bucket_id = 'bkt_1'")

    updates = events_of(connection, organization_id, resource_id="bkt_1", action="update")
    assert [event.changes for event in updates] == [{"before": {"description": None}, "after": {"description": "new"}}]


def test_what_goes_with_a_deleted_namespace_is_one_event(connection: Connection, organization_id: str) -> None:
    namespace_id = make_namespace(connection, organization_id)
    make_bucket(connection, namespace_id)

    connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [namespace_id])

    deletions = events_of(connection, organization_id, action="delete", namespace_id=namespace_id)
    assert [(event.resource_type, event.resource_id) for event in deletions] == [("namespace", namespace_id)]


def test_a_change_that_is_undone_leaves_no_event(database: Database, organization_id: str) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        namespace_id = make_namespace(connection, organization_id, "undone")
        raise ZeroDivisionError

    with database.transaction() as connection:
        assert not events_of(connection, organization_id, resource_id=namespace_id)


def test_an_actor_does_not_outlive_its_transaction(database: Database, organization_id: str) -> None:
    with caused_by(KEY), database.transaction() as connection:
        connection.execute("SELECT 1")

    with database.transaction() as connection:
        namespace_id = make_namespace(connection, organization_id, "later")
        event = events_of(connection, organization_id, resource_id=namespace_id)[0]
        connection.rollback()
    assert event.actor_id == "platform"


def test_a_request_that_only_reads_sends_no_origin(database: Database) -> None:
    token = origin.set(Origin(actor_id="key_1"))
    try:
        with database.transaction() as connection:
            said = connection.execute("SELECT current_setting('mixpeek.origin', true)").fetchone()
    finally:
        origin.reset(token)

    assert said in ((None,), ("",))


def test_secrets_are_never_recorded(connection: Connection, organization_id: str) -> None:
    schema = '{"token": "t0p", "properties": {"deep": [{"api_key": "s3cret", "max_tokens": 5}]}}'
    make_bucket(connection, make_namespace(connection, organization_id), schema=schema)
    made, secret = keys.create_key(connection, organization_id, "audited", ["read"], created_by="admin")
    _, second = keys.rotate_key(connection, organization_id, made.key_id)
    keys.revoke_key(connection, organization_id, made.key_id)

    recorded = str([event.changes for event in events_of(connection, organization_id)])
    actions = [event.action for event in events_of(connection, organization_id, resource_id=made.key_id)]

    assert actions == ["revoke", "rotate", "create"]
    for hidden in (secret, second, "s3cret", "t0p", "key_hash"):
        assert hidden not in recorded
    assert "'max_tokens': 5" in recorded


def test_an_object_is_recorded_without_what_it_holds(connection: Connection, organization_id: str) -> None:
    namespace_id = make_namespace(connection, organization_id)
    make_bucket(connection, namespace_id)
    connection.execute(
        "INSERT INTO objects (object_id, namespace_id, bucket_id, blobs, size_bytes)"
        """ VALUES ('obj_1', %s, 'bkt_1', '[{"data": "private words"}]', 13)""",
        [namespace_id],
    )

    event = events_of(connection, organization_id, resource_id="obj_1")[0]

    assert (event.action, event.changes["after"]["size_bytes"]) == ("create", 13)
    assert "private words" not in str(event.changes)


def test_a_task_carries_who_asked_for_it(database: Database, organization_id: str) -> None:
    with caused_by(KEY), database.transaction() as connection:
        namespace_id = make_namespace(connection, organization_id, "with_a_task")
        task_id = tasks.submit(
            connection, workflow="w", task_type="t", organization_id=organization_id,
            namespace_id=namespace_id, inputs={},
        )  # fmt: skip
        carried = tasks.find_origin(connection, task_id)
        connection.rollback()

    assert carried == KEY


def test_events_cannot_be_changed(connection: Connection, organization_id: str) -> None:
    make_namespace(connection, organization_id)

    with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
        connection.execute("UPDATE audit_events SET actor_id = 'somebody else'")


def test_events_are_listed_newest_first_by_page_and_by_every_filter(
    connection: Connection, organization_id: str
) -> None:
    namespace_id = make_namespace(connection, organization_id)
    for number in range(5):
        make_bucket(connection, namespace_id, f"bkt_{number}")
    filters = Filters(resource_type="bucket", action="create", actor="platform", status="success",
                      namespace_id=namespace_id)  # fmt: skip

    first = list_events(connection, organization_id, filters, 3, None)
    second = list_events(connection, organization_id, filters, 3, first[-1].entry)
    since = list_events(connection, organization_id, Filters(namespace_id=namespace_id, since=first[0].at), 9, None)
    until = list_events(connection, organization_id, Filters(namespace_id=namespace_id, until=first[0].at), 9, None)

    assert [event.resource_id for event in first + second] == [f"bkt_{number}" for number in (4, 3, 2, 1, 0)]
    assert [event.resource_id for event in since] == ["bkt_4"]
    assert [event.resource_id for event in until] == ["bkt_3", "bkt_2", "bkt_1", "bkt_0", namespace_id]
    assert not list_events(connection, "another organization", filters, 3, None)
