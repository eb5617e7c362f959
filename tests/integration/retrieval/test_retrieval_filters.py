"""A filter lets the same documents pass wherever it is asked: in searches, lists, figures and stages."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

from factories.executions import URI, new_collection, tools, vector_of
from factories.filters import FILTERS
from factories.stored_values import stored_documents
from mixpeek.db.pool import Database
from mixpeek.documents import segment_queries
from mixpeek.documents.port import Index, NewDocument
from mixpeek.documents.postgres import PostgresDocuments
from mixpeek.documents.schemas import Aggregate
from mixpeek.documents.segment_building import SegmentBuilder
from mixpeek.documents.segments import Limits
from mixpeek.documents.surface import SURFACE
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import Filter, FilterInvalid
from mixpeek.filters.parse import parse_filter
from mixpeek.filters.query import Query
from mixpeek.retrieval.execution import Executor
from mixpeek.retrieval.explaining import Timings
from mixpeek.retrieval.schemas import ExecuteAdHoc
from mixpeek.tenancy.service import bootstrap, create_namespace

QUERY = [1.0, -0.5, 0.25, 2.0]
LIMITS = Limits(shared_rows=60, segment_rows=50, most_segments=8, together=3)


@dataclass
class Stored:
    """A collection, and the records that ought to be in it, by id."""

    name: str
    index: Index
    records: dict[str, dict[str, Any]]

    def passing(self, where: Filter) -> list[str]:
        """Return the ids of what passes, in order of the ids."""
        return sorted(key for key, record in self.records.items() if matches(where, SURFACE, record))


@dataclass
class Library:
    """A collection in the table that small ones share, and one in segments of every state."""

    database: Database
    namespace_id: str
    store: PostgresDocuments
    executor: Executor
    small: Stored
    large: Stored

    def ranked(self, ids: list[str]) -> list[str]:
        scores = {key: float(np.dot(vector_of(key), np.array(QUERY, np.float32))) for key in ids}
        return sorted(ids, key=lambda key: (-scores[key], key))

    def found_by(self, stages: list[dict[str, Any]], *collections: Stored) -> list[str]:
        """Return what a retriever of these stages answers."""
        body = ExecuteAdHoc.model_validate(
            {
                "collection_identifiers": [each.name for each in collections],
                "stages": stages,
                "pagination": {"method": "offset", "page_size": 500, "page_number": 1},
            }
        )
        answer = self.executor.prepare_ad_hoc(self.namespace_id, body).run()
        return [document["document_id"] for document in answer["documents"]]


class Filling:
    """Writes documents as batches do, and remembers them."""

    def __init__(self, database: Database, store: PostgresDocuments, index: Index, prefix: str) -> None:
        self._database, self._store, self._index, self._prefix = database, store, index, prefix
        self._made = stored_documents()
        self.records: dict[str, dict[str, Any]] = {}

    def write(self, numbers: range) -> None:
        documents = []
        for n in numbers:
            key, made = f"{self._prefix}_{n:04}", self._made[n % len(self._made)]
            documents.append(
                NewDocument(key, "btch_1", "obj_1", made["payload"], made["internal"], {"vec": vector_of(key)})
            )
            self.records[key] = {"document_id": key, **made}
        with self._database.transaction() as connection:
            self._store.upsert(connection, self._index, documents)

    def delete(self, numbers: range) -> None:
        keys = [f"{self._prefix}_{n:04}" for n in numbers]
        with self._database.transaction() as connection:
            self._store.delete(connection, self._index, keys)
        for key in keys:
            del self.records[key]

    def edit(self, numbers: range, fields: dict[str, Any]) -> None:
        keys = [f"{self._prefix}_{n:04}" for n in numbers]
        with self._database.transaction() as connection:
            self._store.edit(connection, self._index, keys, fields)
        for key in keys:
            self.records[key] = {**self.records[key], "payload": {**self.records[key]["payload"], **fields}}

    def stored(self, name: str) -> Stored:
        """Return it with what only the database knows of each document."""
        with self._database.transaction() as connection:
            found = self._store.fetch(connection, [self._index], list(self.records))
        for key, record in self.records.items():
            document = found[key]
            record |= {
                "collection_id": self._index.collection_id,
                "created_at": document.created_at,
                "updated_at": document.updated_at,
            }
        return Stored(name, self._index, self.records)


@pytest.fixture(scope="module")
def library(database: Database) -> Iterator[Library]:
    store, builder = PostgresDocuments(LIMITS), SegmentBuilder(database, LIMITS)
    with database.transaction() as connection:
        fields = {
            "namespace_name": f"filters_{secrets.token_hex(4)}",
            "namespace_type": "standard",
            "description": None,
            "feature_extractors": [],
            "payload_indexes": [],
            "auto_create_indexes": False,
        }
        namespace_id = create_namespace(connection, bootstrap(connection, "sk_test"), fields).namespace_id
        small, small_index = new_collection(connection, namespace_id)
        large, large_index = new_collection(connection, namespace_id)
    few, many = Filling(database, store, small_index, "few"), Filling(database, store, large_index, "many")
    few.write(range(50))
    few.edit(range(3), {"x": "Red fox", "y": 5})
    for start in range(0, 180, 60):
        many.write(range(start, start + 60))
    while builder.next_step(large_index, "task_1"):
        pass
    for start in (180, 240):
        many.write(range(start, start + 60))
    builder.next_step(large_index, "task_1")
    many.write(range(300, 330))
    many.write(range(20, 30))  # again, from an indexed segment into the open one
    many.delete(range(100, 110))
    many.edit(range(200, 205), {"x": ["a", 5], "it's": "5"})
    with database.transaction() as connection:
        states = {segment.state for segment in segment_queries.list_segments(connection, large_index)}
        assert states == {"merged", "indexed", "sealed", "open"}
    yield Library(
        database,
        namespace_id,
        store,
        Executor(database, store, tools(), Timings()),
        few.stored(small),
        many.stored(large),
    )
    with database.transaction() as connection:
        connection.execute("DELETE FROM collections WHERE namespace_id = %s", [namespace_id])


def read(data: dict[str, Any]) -> Filter | None:
    try:
        return parse_filter(data, case_sensitive=True)
    except FilterInvalid:
        return None


@settings(suppress_health_check=list(HealthCheck), max_examples=25)
@given(FILTERS)
@example({"field": "x", "operator": "eq", "value": 5})
@example({"field": "x", "operator": "in", "value": ["red", True, None], "case_sensitive": False})
@example({"field": "metadata.y", "operator": "eq", "value": "x" * 300})
@example({"OR": [{"field": "x.0", "value": 5}, {"field": "root_object_id", "value": "obj_1"}]})
@example({"AND": [{"field": "x", "operator": "eq", "value": [["5"], 5]}, {"field": "body", "value": "word"}]})
def test_the_store_lets_pass_what_the_evaluator_does_in_every_search_list_and_figure(
    library: Library, data: dict[str, Any]
) -> None:
    where = read(data)
    if where is None:
        return
    store, small, large = library.store, library.small, library.large
    few, many = small.passing(where), large.passing(where)

    with library.database.transaction() as connection:
        for indexes, ids in (([small.index], few), ([large.index], many), ([small.index, large.index], few + many)):
            for k in (4, 500):
                hits = store.search(connection, indexes, "vec", QUERY, "dot", k, where=where)
                assert [hit.document_id for hit in hits] == library.ranked(ids)[:k]
            best = store.search_text(connection, indexes, "words", 500, where=where)
            assert sorted(hit.document_id for hit in best) == sorted(ids)
        for stored, ids in ((small, few), (large, many)):
            page = store.query(connection, stored.index, Query(500, filter=where, with_total=True))
            assert ([each.document_id for each in page.rows], page.total) == (ids, len(ids))
            groups = store.group(connection, stored.index, Query(500, filter=where), "number", each=500)
            assert sorted(d.document_id for group in groups.groups for d in group.documents) == ids
            assert store.stats(connection, stored.index, Query(1, filter=where)).total_documents == len(ids)
            counted = Aggregate(
                aggregations=[{"function": "count", "alias": "n"}],
                filters={"AND": [data], "case_sensitive": True},
            )
            assert store.aggregate(connection, stored.index, counted)[0]["metrics"]["n"] == len(ids)


@settings(suppress_health_check=list(HealthCheck), max_examples=15)
@given(FILTERS)
@example({"field": "it's", "operator": "ne", "value": "5"})
def test_stages_let_pass_what_the_evaluator_does_in_the_store_and_in_memory(
    library: Library, data: dict[str, Any]
) -> None:
    where = read(data)
    if where is None:
        return
    search = {"feature_uri": URI, "query": {"input_mode": "vector", "value": QUERY}, "top_k": 500}
    every = {"searches": [search], "final_top_k": 500}

    def stage(stage_id: str, parameters: dict[str, Any], **beside: Any) -> dict[str, Any]:
        return {
            "stage_name": stage_id,
            "config": {"stage_id": stage_id, "parameters": parameters, **beside},
        }

    condition = {"conditions": {"AND": [data]}}
    for stored in (library.small, library.large):
        ids = stored.passing(where)
        ranked = library.ranked(ids)
        assert library.found_by([stage("feature_search", {**every, "pre_filters": data})], stored) == ranked
        of_search = {"searches": [{**search, "filters": data}], "final_top_k": 500}
        assert library.found_by([stage("feature_search", of_search)], stored) == ranked
        assert library.found_by([stage("feature_search", every, pre_filters=data)], stored) == ranked
        assert library.found_by([stage("feature_search", every, post_filters=data)], stored) == ranked
        assert library.found_by([stage("attribute_filter", condition)], stored) == ids
        after = [stage("feature_search", every), stage("attribute_filter", condition)]
        assert library.found_by(after, stored) == ranked
        before = [stage("attribute_filter", condition), stage("feature_search", every)]
        assert library.found_by(before, stored) == ranked


@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"])
@pytest.mark.parametrize("field", ["_internal.created_at", "_internal.updated_at"])
def test_times_compare_as_moments_everywhere(library: Library, field: str, operator: str) -> None:
    stored = library.large
    moments = sorted({record[field.removeprefix("_internal.")] for record in stored.records.values()})
    chosen: datetime = moments[len(moments) // 2]
    # The same moment on another clock.
    text = chosen.astimezone(timezone(timedelta(hours=5))).isoformat()
    data = {"field": field, "operator": operator, "value": [text] if operator in ("in", "nin") else text}
    where = read(data)
    assert where is not None
    ids = stored.passing(where)

    with library.database.transaction() as connection:
        hits = library.store.search(connection, [stored.index], "vec", QUERY, "dot", 500, where=where)
        listed = library.store.query(connection, stored.index, Query(500, filter=where)).rows

    assert [hit.document_id for hit in hits] == library.ranked(ids)
    assert [document.document_id for document in listed] == ids
    assert 0 < len(ids) < len(stored.records)


def test_a_document_whose_values_are_too_many_to_mark_is_found_by_any(library: Library) -> None:
    ids = [key for key, record in library.large.records.items() if record["payload"].get("x") == list(range(300))]
    where = parse_filter({"field": "x", "operator": "eq", "value": 287}, case_sensitive=True)

    with library.database.transaction() as connection:
        hits = library.store.search(connection, [library.large.index], "vec", QUERY, "dot", 500, where=where)

    assert sorted(hit.document_id for hit in hits) == sorted(ids)
    assert len(ids) > 1
