"""A collection of one's own in a transaction that is rolled back or not, as the test ends."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from factories.indexes import NewIndex
from factories.qdrant import cluster, documents_over
from mixpeek.collections.queries import insert_collection
from mixpeek.db.pool import Connection, Database
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.tenancy.service import bootstrap, create_namespace


@pytest.fixture(scope="module")
def namespace_id(database: Database) -> str:
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test")
        fields = {
            "namespace_name": f"documents_{secrets.token_hex(4)}",
            "namespace_type": "standard",
            "description": None,
            "feature_extractors": [],
            "payload_indexes": [],
            "auto_create_indexes": False,
        }
        return create_namespace(connection, organization_id, fields).namespace_id


@pytest.fixture
def connection(database: Database) -> Any:
    with database.transaction() as open_connection:
        yield open_connection


@pytest.fixture(params=["postgres", "qdrant"])
def store(request: pytest.FixtureRequest) -> DocumentStore:
    """Every store there is, one after the other."""
    if request.param == "postgres":
        return PostgresDocuments()
    made: DocumentStore = request.getfixturevalue("qdrant_documents")
    return made


@pytest.fixture(scope="session")
def qdrant_documents(database: Database) -> Iterator[DocumentStore]:
    """Documents whose vectors lie in Qdrant: in its client's local mode, or where `MIXPEEK_TEST_QDRANT_URL` says."""
    with cluster() as running:
        yield documents_over(running, database)


@pytest.fixture
def new_index(connection: Connection, namespace_id: str) -> NewIndex:
    return lambda: make_index(connection, namespace_id)


@pytest.fixture
def committed_index(database: Database, namespace_id: str) -> NewIndex:
    """Indexes that transactions other than `connection` see too."""

    def make() -> Index:
        with database.transaction() as connection:
            return make_index(connection, namespace_id)

    return make


def make_index(connection: Connection, namespace_id: str) -> Index:
    collection_id = f"col_{secrets.token_hex(6)}"
    collection = {
        "collection_id": collection_id,
        "namespace_id": namespace_id,
        "collection_name": collection_id,
        "description": None,
        "source": {},
        "feature_extractor": {},
        "input_schema": {},
        "output_schema": {},
        "metadata": {},
        "enabled": True,
    }
    generation = {
        "collection_id": collection_id,
        "plugin_namespace": namespace_id,
        "plugin_id": "words_1_0_0",
        "code_hash": "",
        "parameters": {},
        "features": [],
    }
    assert insert_collection(connection, collection, generation)
    return Index(collection_id, 1)
