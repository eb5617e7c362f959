"""Objects in the real database: unique keys also under concurrent writers, ids that stay, deletions that are whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from mixpeek.catalog import objects, queries, service
from mixpeek.catalog.models import Bucket, NewObject
from mixpeek.catalog.objects import Wanted
from mixpeek.catalog.schemas import ChangeBucket
from mixpeek.db.pool import Database
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.errors import AlreadyExists, Conflict, InvalidRequest, MixpeekError, NotFound
from mixpeek.filters.query import Query

DOCUMENTS = PostgresDocuments()
BY_ISBN = {"fields": ["isbn"], "default_policy": "upsert"}
WRITERS = 8


def write(database: Database, bucket: Bucket, *wanted: NewObject | Wanted, policy: Any = "upsert") -> list[Any]:
    each = [one if isinstance(one, Wanted) else Wanted(one) for one in wanted]
    with database.transaction() as connection:
        return objects.write_objects(connection, DOCUMENTS, bucket, each, policy)


def stored(database: Database, bucket: Bucket) -> list[Any]:
    with database.transaction() as connection:
        return queries.list_objects(connection, bucket.bucket_id, Query(1000)).rows


def test_writers_at_once_make_one_object_of_one_key(database: Database, make_bucket: Any, make_object: Any) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    drafts = [make_object(bucket, isbn="1", title=f"edition {n}") for n in range(WRITERS)]
    together = threading.Barrier(WRITERS)

    def write_one(new: NewObject) -> list[Any]:
        together.wait()
        return write(database, bucket, new)

    with ThreadPoolExecutor(WRITERS) as pool:
        results = [result for results in pool.map(write_one, drafts) for result in results]

    (only,) = stored(database, bucket)
    assert set(results) == {only.object_id}
    assert only.fields["title"] in {f"edition {n}" for n in range(WRITERS)}


def test_of_inserts_at_once_one_wins_and_the_others_are_told(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    new = make_object(bucket, isbn="1")
    together = threading.Barrier(WRITERS)

    def write_one(_: int) -> Any:
        together.wait()
        return write(database, bucket, new, policy="insert")[0]

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(write_one, range(WRITERS)))

    (only,) = stored(database, bucket)
    assert [result for result in results if isinstance(result, str)] == [only.object_id]
    assert sum(isinstance(result, AlreadyExists) for result in results) == WRITERS - 1


def test_the_database_itself_refuses_a_second_object_of_a_key(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    new = make_object(bucket, isbn="1")

    with pytest.raises(psycopg.errors.UniqueViolation), database.transaction() as connection:
        queries.insert_objects(connection, bucket, [("obj_catalog_a", new), ("obj_catalog_b", new)])


def test_a_bucket_without_a_unique_key_takes_the_same_object_twice(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket()
    new = make_object(bucket, isbn="1")

    first, second = write(database, bucket, new, new, policy="insert")

    assert first != second


def test_duplicates_are_skipped_where_that_is_asked_for(database: Database, make_bucket: Any, make_object: Any) -> None:
    bucket = make_bucket()
    same = Wanted(make_object(bucket, isbn="1", title="a"), skip_duplicates=True)
    other = Wanted(make_object(bucket, isbn="1", title="b"), skip_duplicates=True)

    (first,) = write(database, bucket, same, policy="insert")
    again = write(database, bucket, same, other, other, policy="insert")

    assert again[0] == first
    assert again[1] == again[2] != first
    assert len(stored(database, bucket)) == 2


def test_an_upsert_keeps_the_ids_of_the_object_and_of_its_blobs(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    (object_id,) = write(database, bucket, make_object(bucket, isbn="1", title="first"))
    (before,) = stored(database, bucket)

    again = write(database, bucket, make_object(bucket, isbn="1", title="second"))

    (after,) = stored(database, bucket)
    assert again == [object_id]
    assert [blob["blob_id"] for blob in after.blobs] == [blob["blob_id"] for blob in before.blobs]
    assert [blob["data"] for blob in after.blobs] == ["second"]
    assert after.sequence == before.sequence


def test_within_one_request_the_last_object_of_a_key_is_kept(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    drafts = [make_object(bucket, isbn=isbn, title=title) for isbn, title in (("1", "a"), ("2", "b"), ("1", "c"))]

    first, second, third = write(database, bucket, *drafts)

    assert first == third != second
    assert [each.fields["title"] for each in stored(database, bucket)] == ["c", "b"]


def test_an_update_of_what_is_not_there_is_told(database: Database, make_bucket: Any, make_object: Any) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)

    (result,) = write(database, bucket, make_object(bucket, isbn="1"), policy="update")

    assert isinstance(result, NotFound)
    assert stored(database, bucket) == []


def test_an_object_cannot_be_given_the_key_of_another(database: Database, make_bucket: Any, make_object: Any) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)
    first, second = write(database, bucket, make_object(bucket, isbn="1"), make_object(bucket, isbn="2"))

    with database.transaction() as connection, pytest.raises(AlreadyExists, match=first):
        objects.replace_object(connection, DOCUMENTS, bucket, second, make_object(bucket, isbn="1"))


def test_a_policy_without_a_unique_key_is_refused(make_bucket: Any) -> None:
    assert objects.policy_of(make_bucket(), "insert") == "insert"
    with pytest.raises(InvalidRequest, match="unique key"):
        objects.policy_of(make_bucket(), "upsert")


def test_the_unique_key_of_a_bucket_never_changes(database: Database, make_bucket: Any) -> None:
    bucket = make_bucket(unique_key=BY_ISBN)

    for other in ({"fields": ["title"]}, None):
        with database.transaction() as connection, pytest.raises(InvalidRequest, match="never changes"):
            service.change_bucket(connection, bucket, ChangeBucket.model_validate({"unique_key": other}))
    with pytest.raises(psycopg.errors.RaiseException), database.transaction() as connection:
        connection.execute("UPDATE buckets SET unique_key = NULL WHERE bucket_id = %s", [bucket.bucket_id])


@pytest.mark.parametrize(
    ("properties", "fits"),
    [
        ({"author": {"type": "string"}}, True),
        ({"author": {"type": "string", "required": True}}, False),
        ({"author": {"type": "string", "required": True, "default": "?"}}, True),
        ({"isbn": {"type": "integer"}}, False),
        ({"isbn": {"type": "string", "required": True}}, False),
        ({"isbn": {"type": "string", "description": "International"}}, True),
    ],
)
def test_a_schema_changes_only_so_that_what_is_there_fits(
    database: Database, make_bucket: Any, make_object: Any, properties: dict[str, Any], fits: bool
) -> None:
    bucket = make_bucket()
    write(database, bucket, make_object(bucket, isbn="1"), policy="insert")
    body = ChangeBucket.model_validate({"bucket_schema": {"properties": properties}})

    with database.transaction() as connection:
        filled = service.get_bucket(connection, bucket.namespace_id, bucket.bucket_id)
        if not fits:
            with pytest.raises(Conflict):
                service.change_bucket(connection, filled, body)
            return
        changed = service.change_bucket(connection, filled, body)

    assert changed.bucket_schema["properties"].keys() >= {"isbn", "title", "photo", *properties}


def test_an_object_is_not_written_into_a_bucket_that_is_gone(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket()
    new = make_object(bucket, isbn="1")
    with database.transaction() as connection:
        queries.delete_bucket(connection, bucket.bucket_id)

    with pytest.raises(MixpeekError, match="bucket"):
        write(database, bucket, new, policy="insert")


def test_what_was_made_of_an_object_goes_with_it(database: Database, make_bucket: Any, make_object: Any) -> None:
    bucket = make_bucket()
    gone, kept = write(
        database, bucket, make_object(bucket, title="a"), make_object(bucket, title="b"), policy="insert"
    )
    _pretend_documents(database, bucket, [gone, kept])

    with database.transaction() as connection:
        objects.delete_object(connection, DOCUMENTS, bucket, gone)
        tables = ("documents", "document_vectors", "document_keys")
        left = {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE collection_id = %s", [_collection(bucket)]
            ).fetchone()
            for table in tables
        }

    assert left == dict.fromkeys(tables, (1,))
    assert [each.object_id for each in stored(database, bucket)] == [kept]


def test_what_was_made_of_a_blob_goes_when_the_object_no_longer_has_it(
    database: Database, make_bucket: Any, make_object: Any
) -> None:
    bucket = make_bucket()
    (object_id,) = write(database, bucket, make_object(bucket, title="a", isbn="1"), policy="insert")
    _pretend_documents(database, bucket, [object_id])

    for new, left in ((make_object(bucket, title="b"), 1), (make_object(bucket, isbn="2"), 0)):
        with database.transaction() as connection:
            objects.replace_object(connection, DOCUMENTS, bucket, object_id, new)
            found = connection.execute("SELECT count(*) FROM documents WHERE object_id = %s", [object_id]).fetchone()
        assert found == (left,)


def _collection(bucket: Bucket) -> str:
    return f"col_{bucket.bucket_id}"


def _pretend_documents(database: Database, bucket: Bucket, object_ids: list[str]) -> None:
    """Write for each object the document of its first blob, as a batch would."""
    place = {"collection": _collection(bucket), "namespace": bucket.namespace_id}
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
            " output_schema) VALUES (%(collection)s, %(namespace)s, %(collection)s, '{}', '{}', '{}')",
            place,
        )
        connection.execute(
            "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
            " features) VALUES (%(collection)s, 1, 'x', 'x', 'x', '[]')",
            place,
        )
        for found in queries.find_objects(connection, object_ids):
            row = {**place, "object": found.object_id, "blob": found.blobs[0]["blob_id"]}
            connection.execute(
                "INSERT INTO document_keys (collection_id, generation, document_id, segment)"
                " VALUES (%(collection)s, 1, %(object)s, 1)",
                row,
            )
            connection.execute(
                "INSERT INTO documents (collection_id, generation, segment, document_id, batch_id, object_id, payload,"
                " internal) VALUES (%(collection)s, 1, 1, %(object)s, 'b', %(object)s, '{}',"
                " %(internal)s)",
                {**row, "internal": Jsonb({"source_blobs": [{"blob_id": row["blob"]}]})},
            )
            connection.execute(
                "INSERT INTO document_vectors (collection_id, generation, feature, segment, document_id, embedding)"
                " VALUES (%(collection)s, 1, 'f', 1, %(object)s, '[1,2]')",
                row,
            )
