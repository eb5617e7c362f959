"""Large collections: segments fill, are indexed and merged, and a search finds what brute force finds throughout."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from mixpeek.collections.indexing import Indexing
from mixpeek.db.pool import Database, dict_rows, scalar
from mixpeek.documents import known_layouts, segment_queries
from mixpeek.documents.known_layouts import KnownLayouts
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.segment_building import SegmentBuilder
from mixpeek.documents.segments import Limits
from mixpeek.filters.parse import parse_filter

LIMITS = Limits(shared_rows=40, segment_rows=50, most_segments=8, together=3)
DIMENSION = 8
Vector = NDArray[np.float32]


@pytest.fixture
def index(database: Database, namespace_id: str) -> Iterator[Index]:
    """An index of one feature by cosine, which others see too."""
    collection_id = f"col_{secrets.token_hex(6)}"
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO collections (collection_id, namespace_id, collection_name, source, feature_extractor,"
            " output_schema) VALUES (%s, %s, %s, '{}', '{}', '{}')",
            [collection_id, namespace_id, collection_id],
        )
        features = [
            {"name": "vec", "dimensions": DIMENSION, "distance": "cosine"},
            {"name": "it's 100%", "dimensions": 2500, "distance": "euclidean"},
        ]
        connection.execute(
            "INSERT INTO collection_generations (collection_id, generation, plugin_namespace, plugin_id, code_hash,"
            " features) VALUES (%s, 1, 'ns', 'words_1_0_0', '', %s)",
            [collection_id, Jsonb(features)],
        )
    yield Index(collection_id, 1)
    with database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE collection_id = %s", [collection_id])


class World:
    """An index, and what ought to be in it."""

    def __init__(self, database: Database, index: Index, limits: Limits = LIMITS) -> None:
        self.database, self.index = database, index
        self.store, self.builder = PostgresDocuments(limits), SegmentBuilder(database, limits)
        self.random = np.random.default_rng(5)
        self.vectors: dict[str, Vector] = {}

    def write(self, numbers: range) -> None:
        vectors = {f"doc_{n:04}": self.random.normal(size=DIMENSION).astype(np.float32) for n in numbers}
        documents = [
            NewDocument(key, "btch_1", "obj_1", {"tens": int(key[4:]) // 10}, {}, {"vec": vector})
            for key, vector in vectors.items()
        ]
        with self.database.transaction() as connection:
            self.store.upsert(connection, self.index, documents)
        self.vectors |= vectors

    def delete(self, numbers: range) -> None:
        keys = [f"doc_{n:04}" for n in numbers]
        with self.database.transaction() as connection:
            assert self.store.delete(connection, self.index, keys) == set(keys) & set(self.vectors)
        for key in keys:
            self.vectors.pop(key, None)

    def build(self) -> list[str]:
        steps: list[str] = []
        while step := self.builder.next_step(self.index, "task_1"):
            steps.append(step)
            self.check()
        return steps

    def build_unchecked(self) -> None:
        while self.builder.next_step(self.index, "task_1"):
            pass

    def check(self, k: int = 7) -> None:
        """A search, filtered and not, finds what brute force finds; everything is there once."""
        query = self.random.normal(size=DIMENSION).astype(np.float32)
        where = parse_filter({"field": "tens", "operator": "in", "value": [1, 5, 9, 13]}, case_sensitive=False)
        with self.database.transaction() as connection:
            plain = self.store.search(connection, [self.index], "vec", query.tolist(), "cosine", k)
            some = self.store.search(
                connection, [self.index], "vec", query.tolist(), "cosine", k, where=where, documents=True
            )
            read = self.store.search(connection, [self.index], "vec", query.tolist(), "cosine", k, documents=True)
            every = self.store.search(connection, [self.index], "vec", query.tolist(), "cosine", 1000)
            stored = self.store.fetch(connection, [self.index], [hit.document_id for hit in plain], vectors=True)
        passing = {key: v for key, v in self.vectors.items() if int(key[4:]) // 10 in (1, 5, 9, 13)}
        assert [hit.document_id for hit in plain] == nearest(self.vectors, query)[:k]
        assert [(hit.document_id, hit.score) for hit in read] == [(hit.document_id, hit.score) for hit in plain]
        for hit in (*read, *some):
            assert hit.document is not None
            assert hit.document.payload == {"tens": int(hit.document_id[4:]) // 10}
        assert [hit.document_id for hit in some] == nearest(passing, query)[:k]
        assert sorted(hit.document_id for hit in every) == sorted(self.vectors)
        for key, document in stored.items():
            assert document.vectors["vec"] == pytest.approx(self.vectors[key].tolist())

    def states(self) -> dict[int, str]:
        with self.database.transaction() as connection:
            return {s.segment: s.state for s in segment_queries.list_segments(connection, self.index)}


def nearest(vectors: dict[str, Vector], query: Vector) -> list[str]:
    def distance(key: str) -> float:
        return -float(vectors[key] @ query / np.linalg.norm(vectors[key]) / np.linalg.norm(query))

    return sorted(vectors, key=distance)


@pytest.fixture
def world(database: Database, index: Index) -> World:
    return World(database, index)


def test_a_collection_grows_out_of_the_shared_table_and_its_segments_are_indexed_and_merged(world: World) -> None:
    world.write(range(39))
    assert world.states() == {1: "open"}
    world.write(range(39, 60))
    assert world.states() == {1: "sealed", 2: "open"}
    world.check()

    for start in range(60, 260, 25):
        world.write(range(start, start + 25))
        world.check()
    assert world.states() == {1: "sealed", 2: "sealed", 3: "sealed", 4: "sealed", 5: "sealed", 6: "open"}
    steps = world.build()

    assert steps[:5] == [
        "indexed segment 2",
        "indexed segment 3",
        "indexed segment 4",
        "indexed segment 5",
        "merged segments 1 into 7",
    ]
    assert [state for state in world.states().values() if state != "merged"] == ["open", "indexed"]
    with world.database.transaction() as connection:
        left = scalar(
            connection, "SELECT count(*) FROM document_vectors WHERE collection_id = %s", [world.index.collection_id]
        )
        assert left == 0


def test_upserts_and_deletes_leave_no_ghost_in_any_segment(world: World) -> None:
    for start in range(0, 200, 25):
        world.write(range(start, start + 25))
    world.build()

    world.write(range(90, 130))
    world.check()
    world.delete(range(100, 115))
    world.delete(range(5))
    world.check()
    world.build()
    world.write(range(20))
    world.check()


def test_what_is_deleted_and_replaced_while_segments_are_merged_is_not_brought_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 250, 50):
        world.write(range(start, start + 50))
    copied = SegmentBuilder._copy

    def change_behind(*args: Any) -> Any:
        merged = copied(*args)
        world.delete(range(0, 250, 7))
        world.write(range(3, 250, 11))
        return merged

    monkeypatch.setattr(SegmentBuilder, "_copy", staticmethod(change_behind))

    steps = world.build()

    assert any(step.startswith("merged") for step in steps)


def test_the_index_is_asked_once_there_is_one(database: Database, index: Index) -> None:
    # Enough that the planner finds it faster than to sort.
    world = World(database, index, Limits(shared_rows=10, segment_rows=6000))
    world.write(range(10))
    world.write(range(10, 6010))
    world.build_unchecked()

    with world.database.transaction() as connection:
        [layout] = segment_queries.layouts(connection, [world.index])
        rows = dict_rows(
            connection,
            f"EXPLAIN SELECT document_id FROM {layout.table} WHERE feature = 'vec'"
            f" ORDER BY (embedding::vector({DIMENSION})) <=> '[1,0,0,0,0,0,0,0]'::vector({DIMENSION}) LIMIT 5",
        )

    assert any("Index Scan using" in row["QUERY PLAN"] and "_v0" in row["QUERY PLAN"] for row in rows)


def test_more_dimensions_than_an_index_holds_are_indexed_by_half_and_compared_in_full(world: World) -> None:
    random = np.random.default_rng(3)
    matrix = random.normal(size=(90, 2500)).astype(np.float32)
    documents = [NewDocument(f"doc_{n:04}", "", "", {}, {}, {"it's 100%": vector}) for n, vector in enumerate(matrix)]
    query = random.normal(size=2500).astype(np.float32)
    order = np.argsort(np.linalg.norm(matrix - query, axis=1))[:5]
    for start in range(0, 90, 45):
        with world.database.transaction() as connection:
            world.store.upsert(connection, world.index, documents[start : start + 45])

    found = []
    for _ in range(3):
        with world.database.transaction() as connection:
            found.append(world.store.search(connection, [world.index], "it's 100%", query.tolist(), "euclidean", 5))
        world.builder.next_step(world.index, "task_1")

    for hits in found:
        assert [hit.document_id for hit in hits] == [f"doc_{n:04}" for n in order]
        assert hits[0].score == pytest.approx(1 / (1 + float(np.linalg.norm(matrix[order[0]] - query))), abs=1e-6)


def test_searches_go_on_while_documents_are_written_and_segments_built(world: World) -> None:
    world.write(range(50))
    ended = threading.Event()
    faults: list[str] = []
    searches = 0

    def search_on() -> None:
        nonlocal searches
        while not ended.is_set():
            with world.database.transaction() as connection:
                hits = world.store.search(connection, [world.index], "vec", [1.0] + [0.0] * 7, "cosine", 20)
            names = [hit.document_id for hit in hits]
            if len(names) < 20 or len(set(names)) < 20:
                faults.append(f"{len(names)} found, {len(set(names))} of them different")
            searches += 1

    readers = [threading.Thread(target=search_on) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for start in range(0, 400, 25):
            world.write(range(start, start + 25))
            world.builder.next_step(world.index, "task_1")
    finally:
        ended.set()
        for reader in readers:
            reader.join()

    assert faults == []
    assert searches > 10


def test_the_tables_of_a_collection_go_with_it(world: World) -> None:
    world.write(range(60))
    with world.database.transaction() as connection:
        [layout] = segment_queries.layouts(connection, [world.index])
        connection.execute("DELETE FROM collections WHERE collection_id = %s", [world.index.collection_id])

    with world.database.transaction() as connection:
        assert scalar(connection, "SELECT to_regclass(%s)", [layout.table]) is None


def test_a_sealed_segment_asks_for_its_index_and_a_batch_that_ends_seals_what_it_wrote(world: World) -> None:
    world.write(range(60))
    place = [world.index.collection_id]
    with world.database.transaction() as connection:
        [asked] = dict_rows(
            connection, "SELECT * FROM tasks WHERE inputs->>'collection_id' = %s AND workflow = 'index_segments'", place
        )
        connection.execute("UPDATE segments SET rows = 2000 WHERE collection_id = %s AND state = 'open'", place)
        namespace = scalar(connection, "SELECT namespace_id FROM collections WHERE collection_id = %s", place)
        connection.execute(
            "INSERT INTO batches (batch_id, namespace_id, bucket_ids, collection_ids, status)"
            " VALUES ('btch_end', %s, '{}', '{}', 'PROCESSING')",
            [namespace],
        )
        connection.execute(
            "INSERT INTO batch_chunks (batch_id, chunk, collection_id, generation, object_ids)"
            " VALUES ('btch_end', 0, %s, 1, '{}')",
            place,
        )

        connection.execute("UPDATE batches SET status = 'COMPLETED' WHERE batch_id = 'btch_end'")

        states = segment_queries.list_segments(connection, world.index)
        connection.execute("DELETE FROM batches WHERE batch_id = 'btch_end'")
        connection.execute("DELETE FROM tasks WHERE inputs->>'collection_id' = %s", place)
    assert (asked["inputs"]["generation"], asked["status"]) == (1, "PENDING")
    assert [each.state for each in states] == ["sealed", "sealed"]
    world.write(range(60, 70))
    assert world.states() == {1: "sealed", 2: "sealed", 3: "open"}
    world.check()


def test_segments_are_merged_once_the_batch_that_fills_them_has_ended(world: World) -> None:
    place = [world.index.collection_id]
    with world.database.transaction() as connection:
        connection.execute(
            "INSERT INTO batches (batch_id, namespace_id, bucket_ids, collection_ids, status) SELECT 'btch_fills',"
            " namespace_id, '{}', '{}', 'IN_PROGRESS' FROM collections WHERE collection_id = %s",
            place,
        )
        connection.execute(
            "INSERT INTO batch_chunks (batch_id, chunk, collection_id, generation, object_ids)"
            " VALUES ('btch_fills', 0, %s, 1, '{}')",
            place,
        )
    for start in range(0, 350, 50):
        world.write(range(start, start + 50))

    meanwhile = world.build()
    with world.database.transaction() as connection:
        connection.execute("DELETE FROM tasks WHERE inputs->>'collection_id' = %s", place)
        connection.execute("UPDATE batch_chunks SET committed_at = now() WHERE batch_id = 'btch_fills'")
        connection.execute("UPDATE batches SET status = 'COMPLETED' WHERE batch_id = 'btch_fills'")
        asked = dict_rows(connection, "SELECT * FROM tasks WHERE inputs->>'collection_id' = %s", place)
        connection.execute("DELETE FROM tasks WHERE inputs->>'collection_id' = %s", place)
        connection.execute("DELETE FROM batches WHERE batch_id = 'btch_fills'")
    afterwards = world.build()

    assert [step for step in meanwhile if "merged" in step] == ["merged segments 1 into 9"]
    assert [each["workflow"] for each in asked] == ["index_segments"]
    assert any("merged" in step for step in afterwards)
    world.check()


def test_the_task_says_what_was_done_and_ends(world: World) -> None:
    class AtOnce:
        """Steps that are taken and not recorded."""

        def step(self, name: str, action: Callable[[], Any]) -> Any:
            return action()

        repeatable = step

    for start in range(0, 150, 50):
        world.write(range(start, start + 50))
    place = [world.index.collection_id]
    with world.database.transaction() as connection:
        task_id = scalar(connection, "SELECT task_id FROM tasks WHERE inputs->>'collection_id' = %s", place)

    Indexing(world.database, world.builder).run(
        AtOnce(), task_id, {"collection_id": world.index.collection_id, "generation": 1}
    )

    with world.database.transaction() as connection:
        [task] = dict_rows(connection, "SELECT status, outputs FROM tasks WHERE task_id = %s", [task_id])
        connection.execute("DELETE FROM tasks WHERE inputs->>'collection_id' = %s", place)
    assert task["status"] == "COMPLETED"
    assert task["outputs"]["steps"][0] == "indexed segment 2"
    world.check()


def test_an_index_is_no_longer_searched_in_the_shared_table_once_its_vectors_have_left_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownLayouts()
    monkeypatch.setattr(known_layouts, "BOTH_FOR_S", 0.0)
    world.write(range(100))

    def look_up() -> segment_queries.Layout:
        with world.database.transaction() as connection:
            [layout] = known.look_up(connection, [world.index])
        return layout

    in_both = look_up()
    assert (in_both.is_shared, in_both.number is None) == (True, False)
    assert known.recall([world.index]) is None

    world.build_unchecked()
    moved = look_up()
    assert not moved.is_shared
    assert known.recall([world.index]) == [moved]
