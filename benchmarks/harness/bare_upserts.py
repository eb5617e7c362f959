"""The documents of a batch written with nothing around it, into a database of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peers.batch_processors import CHEAP_DIMENSION


def bare_upserts(database: Any, texts: Sequence[str], number: int) -> float:
    """Return the seconds that upserts of the same documents take, in chunks of as many and nothing else around."""
    from mixpeek.documents.port import Index
    from mixpeek.documents.postgres import PostgresDocuments

    index, store = Index("col_bare", number + 1), PostgresDocuments()
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
            " features) VALUES ('col_bare', %s, 'ns', 'p', 'h', '[]')",
            [number + 1],
        )
    documents = documents_of(texts)
    began = time.perf_counter()
    for at in range(0, len(documents), 1024):
        with database.transaction() as connection:
            store.upsert(connection, index, documents[at : at + 1024])
    return time.perf_counter() - began


def documents_of(texts: Sequence[str]) -> list[Any]:
    """Return the documents that a batch makes of objects with these texts."""
    import numpy as np

    from mixpeek.batches.rows import Recipe, rows_from_object
    from mixpeek.catalog.models import ObjectContents
    from mixpeek.documents.port import NewDocument

    passed = [{"source_path": "text"}]
    recipe = Recipe("col_bare", "cheap_1_0_0", "ns", (), passed, False, {}, "2026-01-01T00:00:00+00:00")
    documents = []
    for place, text in enumerate(texts):
        details = {"size_bytes": len(text), "hash": f"{place:064x}", "mime_type": "text/plain"}
        blob = {"blob_id": f"blob_{place:016x}", "property": "text", "type": "text", "data": text, "details": details}
        (row,) = rows_from_object(ObjectContents(f"obj_{place:016x}", f"bkt_{0:016x}", [blob], {}), recipe)
        documents.append(
            NewDocument(
                row.document_id,
                "btch",
                row.object_id,
                row.passthrough,
                row.internal,
                {"cheap_vector": np.full(CHEAP_DIMENSION, len(text), np.float32)},
            )
        )
    return documents


def bare_database(folder: Path) -> tuple[Any, Callable[[], None]]:
    """Return a database with one collection, and what ends it."""
    from mixpeek.db.embedded import EmbeddedPostgres
    from mixpeek.db.pool import Database
    from mixpeek.db.schema import migrate

    embedded = EmbeddedPostgres(folder)
    embedded.start()
    migrate(embedded.url)
    database = Database(embedded.url)
    database.open()
    with database.transaction() as connection:
        connection.execute("INSERT INTO organizations (organization_id, name) VALUES ('org', 'o')")
        connection.execute(
            "INSERT INTO namespaces (namespace_id, organization_id, namespace_name) VALUES ('ns', 'org', 'n')"
        )
        connection.execute(
            "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
            " output_schema) VALUES ('col_bare', 'ns', 'c', '{}', '{}', '{}')"
        )

    def end() -> None:
        database.close()
        embedded.stop()

    return database, end
