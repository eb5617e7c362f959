"""What executions of retrievers need: collections that nobody runs, and tools that nobody is to use."""

from __future__ import annotations

import secrets
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from mixpeek.db.pool import Connection
from mixpeek.documents.port import Index
from mixpeek.retrieval.context import Tools
from mixpeek.retrieval.embedding import VectorCache
from mixpeek.retrieval.known_retrievers import KnownRetrievers

URI = "mixpeek://words@1.0.0/vec"
DIMENSION = 4
Vector = NDArray[np.float32]


def vector_of(key: str) -> Vector:
    seed = int.from_bytes(key.encode(), "big") % 2**32
    return np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)


def not_asked(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("no plugin and nobody outside has a part in this")


def new_collection(connection: Connection, namespace_id: str) -> tuple[str, Index]:
    collection_id = f"col_{secrets.token_hex(6)}"
    connection.execute(
        "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
        " output_schema) VALUES (%s, %s, %s, '{}', %s, '{}')",
        [collection_id, namespace_id, collection_id, Jsonb({"feature_extractor_name": "words"})],
    )
    feature = {"name": "vec", "dimensions": DIMENSION, "distance": "dot", "feature_uri": URI}
    connection.execute(
        "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
        " features) VALUES (%s, 1, %s, 'words_1_0_0', '', %s)",
        [collection_id, namespace_id, Jsonb([feature])],
    )
    return collection_id, Index(collection_id, 1)


def tools() -> Tools:
    return Tools(not_asked, not_asked, not_asked, not_asked, not_asked, VectorCache(), KnownRetrievers())
