"""A namespace with a bucket of one's own in the shared database, and an object store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factories.platform import unique
from mixpeek.catalog import objects, service
from mixpeek.catalog.fetching import Fetcher
from mixpeek.catalog.intake import Intake
from mixpeek.catalog.models import Bucket, NewObject
from mixpeek.catalog.schemas import CreateBucket, CreateObject
from mixpeek.catalog.sources import SourceHosts
from mixpeek.catalog.uploads import Uploads
from mixpeek.db.pool import Database
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.objects.store import ObjectStore
from mixpeek.tenancy.service import bootstrap, create_namespace

LIMIT_BYTES = 1024 * 1024
NAMESPACE = {
    "namespace_type": "standard",
    "description": None,
    "feature_extractors": [],
    "payload_indexes": [],
    "auto_create_indexes": False,
}
MakeBucket = Callable[..., Bucket]
MakeObject = Callable[..., NewObject]


@pytest.fixture
def intake(database: Database, tmp_path: Path) -> Intake:
    store = ObjectStore(None, tmp_path / "objects")
    return Intake(database, store, Fetcher(SourceHosts(), LIMIT_BYTES), LIMIT_BYTES)


@pytest.fixture
def uploads(database: Database, intake: Intake) -> Uploads:
    return Uploads(database, intake, PostgresDocuments())


@pytest.fixture
def make_bucket(database: Database) -> MakeBucket:
    """Make a bucket with `isbn`, `title` and `photo` in a namespace of its own."""

    def make(**fields: Any) -> Bucket:
        schema = {name: {"type": kind} for name, kind in (("isbn", "string"), ("title", "text"), ("photo", "image"))}
        body = CreateBucket.model_validate({"bucket_name": "books", "schema": {"properties": schema}, **fields})
        with database.transaction() as connection:
            organization = bootstrap(connection, "sk_test_catalog")
            namespace = create_namespace(connection, organization, {**NAMESPACE, "namespace_name": unique("catalog")})
            return service.create_bucket(connection, namespace.namespace_id, body)

    return make


@pytest.fixture
def make_object(intake: Intake) -> MakeObject:
    """Make an object ready to be written."""

    def make(bucket: Bucket, **fields: Any) -> NewObject:
        return objects.complete(bucket, intake.draft(bucket, CreateObject.model_validate(fields)))

    return make
