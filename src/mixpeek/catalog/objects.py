"""Objects: drafts are checked as a whole, told apart by their bucket's unique key, and written in one transaction.

An object keeps its id for as long as it exists, and the n-th blob of a property keeps its own, so that what is made of
them again overwrites what was made before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mixpeek.catalog import queries
from mixpeek.catalog.contents import FILE_KINDS
from mixpeek.catalog.identity import content_hash, unique_hash
from mixpeek.catalog.models import Bucket, Draft, NewObject, StoredObject
from mixpeek.catalog.schemas import Policy
from mixpeek.catalog.values import with_defaults
from mixpeek.db.pool import Connection, new_id
from mixpeek.documents.port import DocumentStore
from mixpeek.errors import AlreadyExists, InvalidRequest, MixpeekError, NotFound
from mixpeek.text import fault_of_text


@dataclass(frozen=True)
class Wanted:
    """An object to write, and whether one that holds the same makes it superfluous."""

    new: NewObject
    skip_duplicates: bool = False


def get_object(connection: Connection, bucket: Bucket, object_id: str, *, lock: bool = False) -> StoredObject:
    found = queries.find_object(connection, bucket.bucket_id, object_id, lock=lock)
    if found is None:
        raise NotFound("object", object_id)
    return found


def complete(bucket: Bucket, draft: Draft) -> NewObject:
    """Return the object that a draft makes.

    Raises: InvalidRequest: it does not fit the bucket's schema, lacks a part of its unique key, or holds text that
    cannot be stored.
    """
    properties = bucket.bucket_schema["properties"]
    files = {name for name, declared in properties.items() if declared["type"] in FILE_KINDS}
    values = {name: value for name, value in draft.fields.items() if value is not None or name not in files}
    fields = with_defaults(values, {blob["property"] for blob in draft.blobs}, properties)
    fault = fault_of_text({"blobs": draft.blobs, "fields": fields, "key_prefix": draft.key_prefix})
    if fault:
        raise InvalidRequest(f"The object cannot be stored: {fault}", hint="Remove it from the text and send it again")
    return NewObject(
        draft.key_prefix,
        fields,
        draft.blobs,
        draft.sources,
        unique_hash(bucket.unique_key, fields, draft.blobs),
        content_hash(fields, draft.blobs),
    )


def policy_of(bucket: Bucket, asked: Policy | None) -> Policy:
    """Return what becomes of an object that is there already.

    Raises: InvalidRequest: without a unique key nothing is there already.
    """
    if bucket.unique_key is None:
        if asked in (None, "insert"):
            return "insert"
        raise InvalidRequest(
            f"`policy={asked}` needs a bucket with a unique key; this one has none",
            hint="Leave `policy` out, or create a bucket with `unique_key`",
        )
    default: Policy = bucket.unique_key["default_policy"]
    return asked or default


def write_objects(
    connection: Connection, documents: DocumentStore, bucket: Bucket, wanted: Sequence[Wanted], policy: Policy
) -> list[str | MixpeekError]:
    """Write objects; return for each its id, or why it was not written. What is written is one transaction's.

    An object is inserted, or replaces the one that has its unique key, as `policy` says.
    """
    if not queries.hold_bucket(connection, bucket.bucket_id):
        raise NotFound("bucket", bucket.bucket_id)
    if bucket.unique_key is not None or any(each.skip_duplicates for each in wanted):
        queries.lock_writers(connection, bucket.bucket_id)
    plan = _Plan(connection, bucket, wanted)
    results = [plan.place(each, policy) for each in wanted]
    queries.insert_objects(connection, bucket, list(plan.inserts.items()))
    _overwrite(connection, documents, bucket, list(plan.updates.values()))
    return results


def _overwrite(
    connection: Connection, documents: DocumentStore, bucket: Bucket, updates: Sequence[tuple[StoredObject, NewObject]]
) -> None:
    """Replace what objects hold; documents made of blobs that they no longer have go with them."""
    written = [(stored, _with_blob_ids(new, stored)) for stored, new in updates]
    queries.update_objects(connection, [(stored.object_id, new) for stored, new in written])
    losers: dict[str, set[str]] = {}
    for stored, new in written:
        gone = {blob["blob_id"] for blob in stored.blobs} - {blob["blob_id"] for blob in new.blobs}
        if gone:
            losers[stored.object_id] = gone
    if losers:
        blob_ids = sorted(set().union(*losers.values()))
        documents.delete_of_objects(connection, bucket.namespace_id, list(losers), blob_ids=blob_ids)


def replace_object(
    connection: Connection, documents: DocumentStore, bucket: Bucket, object_id: str, new: NewObject
) -> StoredObject:
    """Replace what an object holds.

    Raises: NotFound. AlreadyExists: another object of the bucket has its unique key.
    """
    stored = _held_object(connection, bucket, object_id)
    return _replace(connection, documents, bucket, stored, new)


def change_object(
    connection: Connection, documents: DocumentStore, bucket: Bucket, object_id: str, change: Draft
) -> StoredObject:
    """Replace what a change names of an object, and keep the rest; raises as `replace_object` and `complete` do."""
    stored = _held_object(connection, bucket, object_id)
    return _replace(connection, documents, bucket, stored, complete(bucket, changed(stored, change)))


def _held_object(connection: Connection, bucket: Bucket, object_id: str) -> StoredObject:
    # In the order in which `write_objects` locks, or the two could wait for each other.
    if bucket.unique_key is not None:
        queries.lock_writers(connection, bucket.bucket_id)
    return get_object(connection, bucket, object_id, lock=True)


def _replace(
    connection: Connection, documents: DocumentStore, bucket: Bucket, stored: StoredObject, new: NewObject
) -> StoredObject:
    if new.unique_hash is not None:
        other = queries.find_by_unique_hashes(connection, bucket.bucket_id, [new.unique_hash]).get(new.unique_hash)
        if other is not None and other.object_id != stored.object_id:
            raise _is_taken(bucket, other.object_id)
    _overwrite(connection, documents, bucket, [(stored, new)])
    return get_object(connection, bucket, stored.object_id)


def changed(stored: StoredObject, change: Draft) -> Draft:
    """Return what an object is after a change: fields by name (null removes one), blobs by property."""
    fields = {name: value for name, value in {**stored.fields, **change.fields}.items() if value is not None}
    removed = {name for name, value in change.fields.items() if value is None}
    replaced = {blob["property"] for blob in change.blobs}
    kept = [blob for blob in stored.blobs if blob["property"] not in replaced | removed]
    return Draft(
        change.key_prefix if "key_prefix" in change.given else stored.key_prefix,
        {name: value for name, value in fields.items() if name not in replaced or name in change.fields},
        [*kept, *change.blobs],
        [*stored.source_details, *change.sources],
    )


def delete_object(connection: Connection, documents: DocumentStore, bucket: Bucket, object_id: str) -> None:
    """Delete an object, and with it the documents that collections made of it."""
    stored = get_object(connection, bucket, object_id, lock=True)
    documents.delete_of_objects(connection, bucket.namespace_id, [stored.object_id])
    queries.delete_object(connection, stored.object_id)


class _Plan:
    """Which of the objects to write are there already, among those stored and those before it in the same request."""

    def __init__(self, connection: Connection, bucket: Bucket, wanted: Sequence[Wanted]) -> None:
        self._bucket = bucket
        keys = [each.new.unique_hash for each in wanted if each.new.unique_hash is not None]
        contents = [each.new.content_hash for each in wanted if each.skip_duplicates]
        by_key = queries.find_by_unique_hashes(connection, bucket.bucket_id, keys) if keys else {}
        by_content = queries.find_by_content_hashes(connection, bucket.bucket_id, contents) if contents else {}
        self._stored = {found.object_id: found for found in by_key.values()}
        self._by_key = {key: found.object_id for key, found in by_key.items()}
        self._by_content = {key: found.object_id for key, found in by_content.items()}
        self.inserts: dict[str, NewObject] = {}
        self.updates: dict[str, tuple[StoredObject, NewObject]] = {}

    def place(self, wanted: Wanted, policy: Policy) -> str | MixpeekError:
        """Decide about one object; return its id, or why it is not written."""
        new = wanted.new
        key = new.unique_hash
        twin = self._by_key.get(key) if key is not None else None
        same = self._by_content.get(new.content_hash)
        if wanted.skip_duplicates and same is not None:
            return same
        if twin is None:
            return self._insert(new) if policy != "update" else _is_missing(self._bucket)
        if policy == "insert":
            return _is_taken(self._bucket, twin)
        if twin in self.inserts:
            self.inserts[twin] = _with_blob_ids(new)
        else:
            self.updates[twin] = (self._stored[twin], new)
        self._by_content = {hash_: owner for hash_, owner in self._by_content.items() if owner != twin}
        self._by_content[new.content_hash] = twin
        return twin

    def _insert(self, new: NewObject) -> str:
        object_id = new_id("obj")
        self.inserts[object_id] = _with_blob_ids(new)
        if new.unique_hash is not None:
            self._by_key[new.unique_hash] = object_id
        self._by_content.setdefault(new.content_hash, object_id)
        return object_id


def _with_blob_ids(new: NewObject, stored: StoredObject | None = None) -> NewObject:
    """Return the object with an id for each blob: the n-th blob of a property keeps the id it had."""
    had: dict[str, list[str]] = defaultdict(list)
    for blob in stored.blobs if stored else ():
        had[blob["property"]].append(blob["blob_id"])
    blobs: list[dict[str, Any]] = []
    for blob in new.blobs:
        ids = had[blob["property"]]
        blobs.append({**blob, "blob_id": ids.pop(0) if ids else new_id("blob")})
    return replace(new, blobs=blobs)


def _is_taken(bucket: Bucket, object_id: str) -> AlreadyExists:
    key = ", ".join((bucket.unique_key or {}).get("fields", []))
    return AlreadyExists(
        f"There is an object with this unique key ({key}) already: {object_id}",
        hint="Send `policy=upsert` to replace it",
        object_id=object_id,
    )


def _is_missing(bucket: Bucket) -> NotFound:
    key = ", ".join((bucket.unique_key or {}).get("fields", []))
    return NotFound("object", f"with this unique key ({key})", hint="Send `policy=upsert` to create it")
