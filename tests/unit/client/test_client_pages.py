"""Walking through pages, blocking and awaiting: how many requests, which, and where they end."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import pytest

from factories.local_server import Answer, LocalServer
from mixpeek import AsyncMixpeek, Mixpeek
from mixpeek.client.records import Bucket, Document, FailedDocument

DOCUMENTS = "POST /v1/collections/col_1/documents/list"


def page(ids: list[str], cursor: str | None = None) -> dict[str, Any]:
    return {"results": [{"document_id": each} for each in ids], "pagination": {"next_cursor": cursor}}


def test_documents_come_from_page_after_page(server: LocalServer, client: Mixpeek) -> None:
    server.on(DOCUMENTS, page(["a", "b"], "two"), page(["c"]))

    found = list(client.documents.iterate("col_1", page_size=2, filters={"field": "x", "value": 1}))

    assert [each.document_id for each in found] == ["a", "b", "c"]
    assert all(isinstance(each, Document) for each in found)
    assert [asked.query for asked in server.asked] == [{"limit": "2"}, {"limit": "2", "cursor": "two"}]
    assert [asked.json for asked in server.asked] == [{"filters": {"field": "x", "value": 1}}] * 2


def test_the_client_that_awaits_walks_the_same_way(server: LocalServer) -> None:
    server.on(DOCUMENTS, page(["a", "b"], "two"), page(["c"]))

    async def walk() -> list[str]:
        async with AsyncMixpeek(base_url=server.url) as client:
            return [each.document_id async for each in client.documents.iterate("col_1")]

    assert asyncio.run(walk()) == ["a", "b", "c"]


def test_no_page_is_asked_for_before_it_is_needed(server: LocalServer, client: Mixpeek) -> None:
    server.on(DOCUMENTS, page(["a", "b"], "two"))

    assert [each.document_id for each in islice(client.documents.iterate("col_1"), 2)] == ["a", "b"]
    assert [each.document_id for each in client.documents.iterate("col_1", limit=2)] == ["a", "b"]
    assert list(client.documents.iterate("col_1", limit=0)) == []

    assert len(server.asked) == 2


def test_a_list_that_is_paged_by_offset_ends_with_a_page_that_is_not_full(server: LocalServer, client: Mixpeek) -> None:
    failed = [{"document_id": str(number), "cause": "PluginRaised"} for number in range(3)]
    route = "GET /v1/buckets/bkt_1/batches/btch_1/failed-documents"
    server.on(route, {"failed_documents": failed[:2]}, {"failed_documents": failed[2:]})
    server.on("POST /v1/tasks/list", {"results": [{"task_id": "1"}, {"task_id": "2"}]}, {"results": []})

    rows = list(client.batches.iterate_failed("bkt_1", "btch_1", page_size=2))
    tasks = list(client.tasks.iterate(page_size=2, status="FAILED"))

    assert [row.document_id for row in rows] == ["0", "1", "2"]
    assert all(isinstance(row, FailedDocument) for row in rows)
    assert [task.task_id for task in tasks] == ["1", "2"]
    assert [asked.query.get("offset") for asked in server.asked] == [None, "2", None, "2"]


def test_a_list_that_gives_cursors_is_followed_by_them(server: LocalServer, client: Mixpeek) -> None:
    second = {"results": [{"task_id": "2"}], "pagination": {"next_cursor": None}}
    server.on("POST /v1/tasks/list", {"results": [{"task_id": "1"}], "pagination": {"next_cursor": "c"}}, second)

    assert [task.task_id for task in client.tasks.iterate(limit=2)] == ["1", "2"]
    assert [asked.query.get("cursor") for asked in server.asked] == [None, "c"]


def test_a_page_knows_its_cursor_and_keeps_keys_it_does_not_know(server: LocalServer, client: Mixpeek) -> None:
    server.on("POST /v1/buckets/list", {"results": [{"bucket_id": "b", "newer": [1]}], "pagination": None, "extra": 1})

    found = client.buckets.list()

    assert found.next_cursor is None
    assert found.extra == 1
    assert isinstance(found.results[0], Bucket)
    assert found.results[0].newer == [1]


@pytest.mark.parametrize("known", [True, False])
def test_a_batch_is_found_by_its_id_alone(server: LocalServer, client: Mixpeek, known: bool) -> None:
    server.on("POST /v1/buckets/list", {"results": [{"bucket_id": "bkt_1"}, {"bucket_id": "bkt_2"}], "pagination": {}})
    if known:
        server.on("GET /v1/buckets/bkt_2/batches/btch_1", {"batch_id": "btch_1", "status": "DRAFT"})
        bucket, batch = client.batches.find("btch_1")
        assert (bucket.bucket_id, batch.status, batch.has_ended) == ("bkt_2", "DRAFT", False)
    else:
        with pytest.raises(Exception, match="No bucket of this namespace has a batch 'btch_1'") as refused:
            client.batches.find("btch_1")
        assert getattr(refused.value, "status", None) == 404


def test_objects_are_added_in_groups_side_by_side(server: LocalServer, client: Mixpeek) -> None:
    server.on("POST /v1/buckets/bkt_1/objects/batch", Answer({"succeeded": [], "failed": [], "succeeded_count": 2}))
    rows = [{"n": number} for number in range(5)]

    made = list(client.objects.create_all("bkt_1", iter(rows), per_request=2, at_once=2))

    assert sorted(len(group) for group, _ in made) == [1, 2, 2]
    assert sorted(row["n"] for asked in server.asked for row in asked.json["objects"]) == [0, 1, 2, 3, 4]
