"""Which request each method of the client makes, and that its asynchronous twin makes the same."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from factories.local_server import LocalServer
from mixpeek import AsyncMixpeek, Mixpeek

SOURCE = {"type": "bucket", "bucket_ids": ["bkt_1"]}
EXTRACTOR = {"feature_extractor_name": "my_extractor", "version": "1.0.0", "parameters": {"threshold": 0.7}}
STAGES = [{"stage_name": "search", "config": {"stage_id": "feature_search", "parameters": {}}}]
BLOB = {"property": "text", "type": "text", "data": "words"}

CASES: list[tuple[Callable[[Mixpeek], Any], str, dict[str, str], Any]] = [
    (lambda c: c.namespaces.create("demo"), "POST /v1/namespaces", {}, {"namespace_name": "demo"}),
    (lambda c: c.namespaces.get("demo"), "GET /v1/namespaces/demo", {}, None),
    (lambda c: c.namespaces.list(limit=5, offset=10), "POST /v1/namespaces/list", {"limit": "5", "offset": "10"}, {}),
    (
        lambda c: c.buckets.create("b", {"properties": {"text": {"type": "text"}}}),
        "POST /v1/buckets",
        {},
        {"bucket_name": "b", "bucket_schema": {"properties": {"text": {"type": "text"}}}},
    ),
    (lambda c: c.buckets.get("bkt_1"), "GET /v1/buckets/bkt_1", {}, None),
    (lambda c: c.buckets.list(), "POST /v1/buckets/list", {}, {}),
    (
        lambda c: c.objects.create("bkt_1", blobs=[BLOB], policy="upsert", category="physics"),
        "POST /v1/buckets/bkt_1/objects",
        {"policy": "upsert"},
        {"blobs": [BLOB], "category": "physics"},
    ),
    (
        lambda c: c.objects.create_batch("bkt_1", [{"blobs": [BLOB]}]),
        "POST /v1/buckets/bkt_1/objects/batch",
        {},
        {"objects": [{"blobs": [BLOB]}]},
    ),
    (lambda c: c.objects.get("bkt_1", "obj_1"), "GET /v1/buckets/bkt_1/objects/obj_1", {}, None),
    (lambda c: c.objects.list("bkt_1"), "POST /v1/buckets/bkt_1/objects/list", {}, {}),
    (
        lambda c: c.collections.create(
            collection_name="my_collection", source=SOURCE, feature_extractor=EXTRACTOR, description="d"
        ),
        "POST /v1/collections",
        {},
        {
            "collection_name": "my_collection",
            "source": SOURCE,
            "feature_extractor": EXTRACTOR,
            "description": "d",
        },
    ),
    (lambda c: c.collections.list(search="x"), "POST /v1/collections/list", {}, {"search": "x"}),
    (lambda c: c.collections.trigger("col_1"), "POST /v1/collections/col_1/trigger", {}, {}),
    (
        lambda c: c.collections.update("col_1", description="d"),
        "PATCH /v1/collections/col_1",
        {},
        {"description": "d"},
    ),
    (lambda c: c.collections.delete("col_1"), "DELETE /v1/collections/col_1", {}, None),
    (lambda c: c.namespaces.update("demo", description="d"), "PATCH /v1/namespaces/demo", {}, {"description": "d"}),
    (
        lambda c: c.buckets.create("b", {"properties": {}}, unique_key={"fields": ["sku"]}, metadata={"a": 1}),
        "POST /v1/buckets",
        {},
        {
            "bucket_name": "b",
            "bucket_schema": {"properties": {}},
            "unique_key": {"fields": ["sku"]},
            "metadata": {"a": 1},
        },
    ),
    (lambda c: c.buckets.update("bkt_1", description="d"), "PATCH /v1/buckets/bkt_1", {}, {"description": "d"}),
    (lambda c: c.buckets.delete("bkt_1"), "DELETE /v1/buckets/bkt_1", {}, None),
    (
        lambda c: c.objects.create_batch("bkt_1", [{"blobs": [BLOB]}], policy="upsert"),
        "POST /v1/buckets/bkt_1/objects/batch",
        {"policy": "upsert"},
        {"objects": [{"blobs": [BLOB]}]},
    ),
    (
        lambda c: c.objects.update("bkt_1", "obj_1", category="physics"),
        "PATCH /v1/buckets/bkt_1/objects/obj_1",
        {},
        {"category": "physics"},
    ),
    (lambda c: c.objects.delete("bkt_1", "obj_1"), "DELETE /v1/buckets/bkt_1/objects/obj_1", {}, None),
    (lambda c: c.documents.create("col_1", text="t"), "POST /v1/collections/col_1/documents", {}, {"text": "t"}),
    (
        lambda c: c.documents.update("col_1", "doc_1", text="t"),
        "PATCH /v1/collections/col_1/documents/doc_1",
        {},
        {"text": "t"},
    ),
    (lambda c: c.documents.delete("col_1", "doc_1"), "DELETE /v1/collections/col_1/documents/doc_1", {}, None),
    (
        lambda c: c.documents.update_many("col_1", {"b": 1}, filters={"field": "a"}),
        "PATCH /v1/collections/col_1/documents/bulk",
        {},
        {"filters": {"field": "a"}, "update_data": {"b": 1}},
    ),
    (
        lambda c: c.documents.replace("col_1", "doc_1", text="t"),
        "PUT /v1/collections/col_1/documents/doc_1",
        {},
        {"text": "t"},
    ),
    (
        lambda c: c.documents.update_each("col_1", {"doc_1": {"b": 1}}),
        "POST /v1/collections/col_1/documents/batch",
        {},
        {"updates": [{"document_id": "doc_1", "update_data": {"b": 1}}]},
    ),
    (
        lambda c: c.documents.delete_many("col_1", filters={"field": "a"}),
        "DELETE /v1/collections/col_1/documents/batch",
        {},
        {"filters": {"field": "a"}},
    ),
    (
        lambda c: c.documents.delete_many("col_1", ["doc_1"]),
        "DELETE /v1/collections/col_1/documents/batch",
        {},
        {"document_ids": ["doc_1"]},
    ),
    (
        lambda c: c.documents.aggregate("col_1", [{"function": "count", "alias": "n"}], group_by=[{"field": "a"}]),
        "POST /v1/collections/col_1/documents/aggregate",
        {},
        {"aggregations": [{"function": "count", "alias": "n"}], "group_by": [{"field": "a"}]},
    ),
    (
        lambda c: c.documents.lineage("col_1", "doc_1"),
        "GET /v1/collections/col_1/documents/doc_1/lineage",
        {},
        None,
    ),
    (
        lambda c: c.batches.add_objects("bkt_1", "btch_1", ["obj_2"]),
        "POST /v1/buckets/bkt_1/batches/btch_1/objects",
        {},
        {"object_ids": ["obj_2"]},
    ),
    (lambda c: c.batches.list("bkt_1", limit=3), "POST /v1/buckets/bkt_1/batches/list", {"limit": "3"}, {}),
    (lambda c: c.batches.cancel("bkt_1", "btch_1"), "POST /v1/buckets/bkt_1/batches/btch_1/cancel", {}, None),
    (
        lambda c: c.batches.retry("bkt_1", "btch_1", retry_mode="all", max_retry_count=2, tier_nums=[0]),
        "POST /v1/buckets/bkt_1/batches/btch_1/retry",
        {},
        {"retry_mode": "all", "max_retry_count": 2, "tier_nums": [0]},
    ),
    (
        lambda c: c.batches.failed_documents("bkt_1", "btch_1", limit=5, collection_id="col_1"),
        "GET /v1/buckets/bkt_1/batches/btch_1/failed-documents",
        {"limit": "5", "collection_id": "col_1"},
        None,
    ),
    (
        lambda c: c.batches.logs("bkt_1", "btch_1", tier_num=1),
        "GET /v1/buckets/bkt_1/batches/btch_1/logs",
        {"tier_num": "1"},
        None,
    ),
    (lambda c: c.batches.delete("bkt_1", "btch_1"), "DELETE /v1/buckets/bkt_1/batches/btch_1", {}, None),
    (
        lambda c: c.batches.diagnostics("btch_1"),
        "GET /v1/analytics/performance/batches/btch_1/diagnostics",
        {},
        None,
    ),
    (
        lambda c: c.collections.clone("col_1", collection_name="other"),
        "POST /v1/collections/col_1/clone",
        {},
        {"collection_name": "other"},
    ),
    (lambda c: c.tasks.get("task_1", hold_s=5), "GET /v1/tasks/task_1", {"wait": "5"}, None),
    (lambda c: c.tasks.list(status="FAILED"), "POST /v1/tasks/list", {}, {"status": "FAILED"}),
    (lambda c: c.tasks.kill("task_1"), "DELETE /v1/tasks/task_1", {}, None),
    (
        lambda c: c.documents.list("col_1", limit=2, return_vectors=True),
        "POST /v1/collections/col_1/documents/list",
        {"limit": "2"},
        {"return_vectors": True},
    ),
    (lambda c: c.documents.get("col_1", "doc_1"), "GET /v1/collections/col_1/documents/doc_1", {}, None),
    (
        lambda c: c.documents.get("col_1", "doc_1", return_vectors=True),
        "GET /v1/collections/col_1/documents/doc_1",
        {"return_vectors": "true"},
        None,
    ),
    (
        lambda c: c.batches.create("bkt_1", ["obj_1"]),
        "POST /v1/buckets/bkt_1/batches",
        {},
        {"object_ids": ["obj_1"]},
    ),
    (lambda c: c.batches.submit("bkt_1", "btch_1"), "POST /v1/buckets/bkt_1/batches/btch_1/submit", {}, {}),
    (lambda c: c.batches.get("bkt_1", "btch_1"), "GET /v1/buckets/bkt_1/batches/btch_1", {}, None),
    (
        lambda c: c.retrievers.create(
            "search", STAGES, collection_identifiers=["col_1"], input_schema={"query": {"type": "text"}}
        ),
        "POST /v1/retrievers",
        {},
        {
            "retriever_name": "search",
            "collection_identifiers": ["col_1"],
            "input_schema": {"query": {"type": "text"}},
            "stages": STAGES,
        },
    ),
    (lambda c: c.retrievers.get("ret_1"), "GET /v1/retrievers/ret_1", {}, None),
    (lambda c: c.retrievers.list(), "POST /v1/retrievers/list", {}, {}),
    (lambda c: c.retrievers.update("ret_1", tags=["a"]), "PATCH /v1/retrievers/ret_1", {}, {"tags": ["a"]}),
    (
        lambda c: c.retrievers.clone("ret_1", "other", stages=STAGES),
        "POST /v1/retrievers/ret_1/clone",
        {},
        {"retriever_name": "other", "stages": STAGES},
    ),
    (lambda c: c.retrievers.delete("ret_1"), "DELETE /v1/retrievers/ret_1", {}, None),
    (lambda c: c.retrievers.versions("ret_1"), "GET /v1/retrievers/ret_1/versions", {}, None),
    (
        lambda c: c.retrievers.explain("ret_1", {"query": "sorting"}),
        "POST /v1/retrievers/ret_1/execute/explain",
        {},
        {"inputs": {"query": "sorting"}},
    ),
    (
        lambda c: c.retrievers.execute("ret_1", inputs={"query": "sorting"}),
        "POST /v1/retrievers/ret_1/execute",
        {},
        {"inputs": {"query": "sorting"}},
    ),
    (
        lambda c: c.inference.ask("words", {"text": "hello"}, namespace="demo"),
        "POST /v1/namespaces/demo/inference",
        {},
        {"inference_name": "words", "inputs": {"text": "hello"}},
    ),
    (
        lambda c: c.inference.ask(feature_uri="mixpeek://words/vector", parameters={"k": 1}, namespace="demo"),
        "POST /v1/namespaces/demo/inference",
        {},
        {"feature_uri": "mixpeek://words/vector", "inputs": {}, "parameters": {"k": 1}},
    ),
    (
        lambda c: c.secrets.create("weather", "words"),
        "POST /v1/organizations/secrets",
        {},
        {"secret_name": "weather", "secret_value": "words"},
    ),
    (
        lambda c: c.secrets.create("weather", "words", namespaces=[]),
        "POST /v1/organizations/secrets",
        {},
        {"secret_name": "weather", "secret_value": "words", "namespaces": []},
    ),
    (lambda c: c.secrets.list(), "GET /v1/organizations/secrets", {}, None),
    (lambda c: c.secrets.get("weather"), "GET /v1/organizations/secrets/weather", {}, None),
    (
        lambda c: c.secrets.update("weather", "words"),
        "PUT /v1/organizations/secrets/weather",
        {},
        {"secret_value": "words"},
    ),
    (
        lambda c: c.secrets.set_namespaces("weather", None),
        "PUT /v1/organizations/secrets/weather",
        {},
        {"namespaces": None},
    ),
    (
        lambda c: c.secrets.grant("weather", "demo"),
        "PUT /v1/organizations/secrets/weather/namespaces/demo",
        {},
        None,
    ),
    (
        lambda c: c.secrets.revoke("weather", "demo"),
        "DELETE /v1/organizations/secrets/weather/namespaces/demo",
        {},
        None,
    ),
    (lambda c: c.secrets.delete("weather"), "DELETE /v1/organizations/secrets/weather", {}, None),
    (lambda c: c.secrets.rotate_key(), "POST /v1/organizations/secrets/rotate-key", {}, None),
    (lambda c: c.plugins.list(), "GET /v1/namespaces/ns_1/plugins", {}, None),
    (lambda c: c.plugins.list("custom"), "GET /v1/namespaces/ns_1/extractors", {"source": "custom"}, None),
    (lambda c: c.plugins.get("p_1_0_0", namespace="other"), "GET /v1/namespaces/other/plugins/p_1_0_0", {}, None),
    (lambda c: c.plugins.deploy("p_1_0_0"), "POST /v1/namespaces/ns_1/plugins/p_1_0_0/deploy", {}, None),
    (
        lambda c: c.plugins.deploy("p_1_0_0", batch_only=True),
        "POST /v1/namespaces/ns_1/plugins/p_1_0_0/deploy",
        {"deployment_type": "batch_only"},
        None,
    ),
    (lambda c: c.plugins.status("p_1_0_0"), "GET /v1/namespaces/ns_1/plugins/p_1_0_0/status", {}, None),
    (lambda c: c.plugins.undeploy("p_1_0_0"), "POST /v1/namespaces/ns_1/plugins/p_1_0_0/undeploy", {}, None),
    (
        lambda c: c.plugins.deploy("p_1_0_0", message="try"),
        "POST /v1/namespaces/ns_1/plugins/p_1_0_0/deploy",
        {},
        {"message": "try"},
    ),
    (lambda c: c.plugins.source("p_1_0_0"), "GET /v1/namespaces/ns_1/plugins/p_1_0_0/source", {}, None),
    (lambda c: c.plugins.download("p_1_0_0"), "GET /v1/namespaces/ns_1/plugins/p_1_0_0/download", {}, None),
    (lambda c: c.plugins.versions("p"), "GET /v1/namespaces/ns_1/plugins/by-name/p/versions", {}, None),
    (lambda c: c.plugins.rollback("p"), "POST /v1/namespaces/ns_1/plugins/by-name/p/rollback", {}, {}),
    (
        lambda c: c.plugins.rollback("p", "1.0.0", "too slow"),
        "POST /v1/namespaces/ns_1/plugins/by-name/p/rollback",
        {},
        {"version": "1.0.0", "message": "too slow"},
    ),
    (
        lambda c: c.plugins.diff("p", "1.0.0", "1.0.1"),
        "GET /v1/namespaces/ns_1/plugins/by-name/p/diff",
        {"v1": "1.0.0", "v2": "1.0.1"},
        None,
    ),
    (lambda c: c.plugins.delete("p_1_0_0"), "DELETE /v1/namespaces/ns_1/plugins/p_1_0_0", {}, None),
    (
        lambda c: c.plugins.delete("p_1_0_0", force=True),
        "DELETE /v1/namespaces/ns_1/plugins/p_1_0_0",
        {"force": "true"},
        None,
    ),
    (lambda c: c.plugins.available(), "GET /v1/namespaces/ns_1/plugins/available", {}, None),
    (
        lambda c: c.plugins.enable("p_1_0_0", {"k": 1}, deploy=False),
        "POST /v1/namespaces/ns_1/plugins/org/p_1_0_0/enable",
        {},
        {"params": {"k": 1}, "deploy": False},
    ),
    (
        lambda c: c.plugins.disable("p_1_0_0", force=True),
        "POST /v1/namespaces/ns_1/plugins/org/p_1_0_0/disable",
        {"force": "true"},
        None,
    ),
    (
        lambda c: c.plugins.reconfigure(),
        "POST /v1/namespaces/ns_1/plugins/reconfigure",
        {},
        {"confirm": True, "dry_run": False},
    ),
    (
        lambda c: c.plugins.reconfigure(dry_run=True),
        "POST /v1/namespaces/ns_1/plugins/reconfigure",
        {},
        {"confirm": False, "dry_run": True},
    ),
    (
        lambda c: c.plugins.realtime_test("p_1_0_0", {"text": "a"}),
        "POST /v1/namespaces/ns_1/plugins/p_1_0_0/realtime/test",
        {},
        {"inputs": {"text": "a"}, "parameters": {}},
    ),
]


@pytest.mark.parametrize(("call", "route", "query", "body"), CASES, ids=[f"{c[1]} {c[2]}" for c in CASES])
def test_a_method_makes_the_documented_request(
    server: LocalServer, client: Mixpeek, call: Callable[[Mixpeek], Any], route: str, query: dict[str, str], body: Any
) -> None:
    server.on(route, {"success": True})

    answer = call(client)

    asked = server.asked[0]
    assert answer == {"success": True}
    assert asked.query == query
    assert (asked.json if asked.content else None) == body


@pytest.mark.parametrize("call", [case[0] for case in CASES], ids=[f"{c[1]} {c[2]}" for c in CASES])
def test_the_twin_that_awaits_makes_the_same_request(
    server: LocalServer, client: Mixpeek, call: Callable[[Any], Any]
) -> None:
    async def ask() -> Any:
        async with AsyncMixpeek("sk_test", server.url, "ns_1") as twin:
            return await call(twin)

    server.on_any({"success": True})
    answer = call(client)

    assert asyncio.run(ask()) == answer
    one, other = server.asked
    hidden = {"user-agent", "connection"}
    headers = [{k: v for k, v in asked.headers.items() if k not in hidden} for asked in (one, other)]
    assert (one.method, one.path, one.query, one.content) == (other.method, other.path, other.query, other.content)
    assert headers[0] == headers[1]


def test_both_clients_have_the_same_resources_and_methods(client: Mixpeek) -> None:
    twin = AsyncMixpeek("sk_test", client.base_url, "ns_1")

    def surface(of: object) -> dict[str, list[str]]:
        resources = {name: each for name, each in vars(of).items() if not name.startswith("_")}
        return {
            name: [
                f"{method}{list(inspect.signature(getattr(each, method)).parameters)}"
                for method in dir(each)
                if method[0] != "_"
            ]
            for name, each in resources.items()
        }

    assert surface(client) == surface(twin)
