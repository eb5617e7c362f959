"""Every route is called once on a real server, and every answer is held against what the OpenAPI says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from factories.files import png
from factories.platform import BUCKET_SCHEMA, unique
from factories.plugins import write_plugin, zip_of
from factories.receiver import Receiver
from factories.servers import API_KEY, Server
from factories.waiting import until
from factories.weights import safetensors
from mixpeek import Mixpeek
from mixpeek.api.app import ROUTERS
from mixpeek.api.examples import EXAMPLES
from mixpeek.api.schemas.base import ErrorEnvelope

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
ENDED = ("COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED")
# The vector of the text `bad` is missing, so its row fails.
BATCH = "batch[FEATURE] = [None if t == 'bad' else v for t, v in zip(batch['data'], column_of(batch['data']))]"


def route_of(method: str, path: str) -> APIRoute:
    """Return the route that answers a request, found as the server finds it: the first that fits."""
    return next(r for r in ROUTES if method in (r.methods or ()) and r.path_regex.fullmatch(path))


def name_of(route: APIRoute) -> str:
    return f"{min(route.methods or ())} {route.path}"


class Walk:
    """Sends requests, and keeps for every route the answers that were not refused."""

    def __init__(self, http: httpx.Client, namespace: str) -> None:
        self.http = http
        self.namespace = f"/v1/namespaces/{namespace}"
        self.answers: list[tuple[APIRoute, httpx.Response]] = []

    def __call__(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        answer = self.http.request(method, path, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        self.answers.append((route_of(method, httpx.URL(path).path), answer))
        return answer.json() if answer.headers.get("content-type") == "application/json" else answer.content

    def until_ended(self, path: str, *ends: str) -> Any:
        def ended() -> Any:
            answer = self("GET", path)
            return answer if answer["status"] in ends else None

        return until(ended, what=f"{path} has ended", within_s=90)

    def until_arrived(self, path: str) -> None:
        until(lambda: self("GET", path)["state"] == "delivered", what=f"{path} has arrived", within_s=30)


@pytest.fixture(scope="module")
def walk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A walk over every route, done."""
    folder = tmp_path_factory.mktemp("walk") / "walked_words"
    write_plugin(folder, batch=BATCH)
    archive = zip_of(folder)
    write_plugin(folder, batch=BATCH, version="1.1.0", description="Counts words better")
    with server.client() as client:
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=server.url, headers=headers, timeout=120) as http:
            walk = Walk(http, client.namespace or "")
            _administer(walk)
            _publish(walk, archive, zip_of(folder))
            _store_models(walk)
            shared = write_plugin(folder.with_name(unique("shared_words")))
            _share(walk, zip_of(shared), shared.name)
            collection = _fill(walk)
            _search(walk, collection)
            _upgrade(walk, collection)
            _delete(walk, collection)
            yield walk


def _administer(walk: Walk) -> None:
    walk("GET", "/v1/health")
    walk("GET", "/v1/health/liveness")
    walk("GET", "/metrics")
    keys = "/v1/organizations/api-keys"
    name = unique("key")
    walk("POST", keys, json={"name": name, "permissions": ["read"], "description": "for a walk"})
    walk("GET", f"{keys}/{name}")
    walk("POST", f"{keys}/{name}/rotate")
    walk("DELETE", f"{keys}/{name}")
    walk("GET", keys)
    made = walk("POST", "/v1/namespaces", json={"namespace_name": unique("walked"), "description": "soon gone"})
    walk("GET", f"/v1/namespaces/{made['namespace_id']}")
    walk("POST", "/v1/namespaces/list", json={"limit": 3})
    walk("GET", "/v1/namespaces?limit=3")
    walk("PATCH", f"/v1/namespaces/{made['namespace_id']}", json={"description": "sooner gone"})
    walk("PUT", f"/v1/namespaces/{made['namespace_id']}", json={"namespace_name": unique("renamed")})
    _keep_secrets(walk, made["namespace_id"])
    _hook(walk)
    walk("DELETE", f"/v1/namespaces/{made['namespace_id']}")


def _keep_secrets(walk: Walk, namespace_id: str) -> None:
    secrets = "/v1/organizations/secrets"
    name = unique("secret")
    walk("POST", secrets, 201, json={"secret_name": name, "secret_value": "plain words"})
    walk("GET", secrets)
    walk("PUT", f"{secrets}/{name}", json={"secret_value": "other words", "namespaces": []})
    walk("PUT", f"{secrets}/{name}/namespaces/{namespace_id}")
    walk("DELETE", f"{secrets}/{name}/namespaces/{namespace_id}")
    walk("GET", f"{secrets}/{name}")
    walk("POST", f"{secrets}/rotate-key")
    walk("DELETE", f"{secrets}/{name}")


def _hook(walk: Walk) -> None:
    hooks = "/v1/organizations/webhooks"
    name = unique("hook")
    # Nothing listens there, which a delivery says.
    channels = [{"channel": "webhook", "configs": {"url": "http://127.0.0.1:9/", "headers": {"X-From": "a walk"}}}]
    body = {"webhook_name": name, "event_types": ["batch.*", "cluster.*"], "channels": channels}
    walk("POST", f"{hooks}/", 201, json=body)
    walk("PUT", f"{hooks}/{name}", json={**body, "event_types": ["task.failed"]})
    walk("PATCH", f"{hooks}/{name}", json={"is_active": True})
    walk("POST", f"{hooks}/{name}/rotate-secret", json={"overlap_s": 60})
    (made,) = walk("POST", f"{hooks}/{name}/test", 202)["results"]
    delivery = f"{hooks}/{name}/deliveries/{made['delivery_id']}"
    until(lambda: walk("GET", delivery)["history"], what="the ping was tried", within_s=30)
    until(lambda: walk("GET", f"{hooks}/{name}")["channels"][0]["failures"], what="the endpoint is failing")
    walk("GET", f"{hooks}/{name}/deliveries", params={"limit": 1})
    walk("POST", f"{hooks}/list", json={"is_active": True}, params={"include_total": True})
    walk("GET", f"{hooks}/")
    _replay(walk, hooks)
    walk("DELETE", f"{hooks}/{name}", 204)


def _replay(walk: Walk, hooks: str) -> None:
    with Receiver() as receiver:
        channels = [{"channel": "webhook", "configs": {"url": receiver.url}}]
        body = {"webhook_name": unique("hook"), "event_types": ["task.*"], "channels": channels}
        hook = walk("POST", f"{hooks}/", 201, json=body)["webhook_id"]
        (made,) = walk("POST", f"{hooks}/{hook}/test", 202)["results"]
        delivery = f"{hooks}/{hook}/deliveries/{made['delivery_id']}"
        walk.until_arrived(delivery)
        walk("POST", f"{delivery}/replay", 202)
        walk("DELETE", f"{hooks}/{hook}", 204)


def _upload(walk: Walk, plugins: str, archive: bytes, name: str) -> str:
    place = walk("POST", f"{plugins}/uploads", json={"name": name, "version": "1.0.0"})
    walk("PUT", place["presigned_url"], content=archive)
    done = walk("POST", f"{plugins}/uploads/{place['upload_id']}/confirm", json={"message": "first"})
    plugin_id: str = done["plugin_id"]
    return plugin_id


def _publish(walk: Walk, first: bytes, second: bytes) -> None:
    plugins = f"{walk.namespace}/plugins"
    old = _upload(walk, plugins, first, "walked_words")
    fields = {"name": "walked_words", "version": "1.1.0", "message": "better"}
    new = walk("POST", plugins, data=fields, files={"file": ("p.zip", second)})["plugin_id"]
    for plugin_id in (old, new):
        walk("POST", f"{plugins}/{plugin_id}/deploy", json={"message": "out"})
        assert walk.until_ended(f"{plugins}/{plugin_id}/status", "DEPLOYED", "FAILED")["status"] == "DEPLOYED"
    walk("GET", plugins)
    walk("GET", f"{plugins}/{new}?return_presigned_urls=true")
    walk("POST", f"{plugins}/{new}/realtime/test", json={"inputs": {"text": "hello"}})
    walk("POST", f"{plugins}/{new}/realtime/test", json={"inputs": {}})
    asked = {"inference_name": "walked_words", "inputs": {"text": "hello"}}
    walk("POST", "/v1/inference", json=asked)
    walk("POST", f"{walk.namespace}/inference", json=asked)
    walk("GET", f"{plugins}/{new}/logs")
    walk("POST", f"{plugins}/{old}/deploy?traffic=10")
    assert walk.until_ended(f"{plugins}/{old}/status", "DEPLOYED", "FAILED")["status"] == "DEPLOYED"
    walk("GET", f"{plugins}/{old}/deployment")
    walk("POST", f"{plugins}/{old}/promote")
    walk("GET", f"{plugins}/by-name/walked-words/diff?v1=1.0.0&v2=1.1.0")
    walk("POST", f"{plugins}/by-name/walked-words/rollback", json={"message": "back"})
    walk("GET", f"{plugins}/by-name/walked-words/versions")
    walk("GET", f"{plugins}/{old}/source")
    walk("GET", f"{plugins}/{old}/source", headers={"Accept": "application/zip"})
    walk("GET", walk("GET", f"{plugins}/{old}/download")["presigned_url"])
    walk("POST", f"{plugins}/{old}/undeploy")
    walk("POST", f"{plugins}/{old}/deploy?deployment_type=batch_only")
    walk("GET", f"{walk.namespace}/extractors")
    walk("GET", f"{walk.namespace}/extractors/text_extractor")
    walk("GET", "/v1/collections/features/extractors")
    walk("GET", "/v1/collections/features/extractors/text_extractor")


def _store_models(walk: Walk) -> None:
    models = f"{walk.namespace}/models"
    wanted = {"name": "net", "version": "1.0.0", "model_format": "safetensors", "task_type": "embedding"}
    place = walk("POST", f"{models}/uploads", json=wanted)
    walk("PUT", place["presigned_url"], content=safetensors())
    walk("POST", f"{models}/uploads/{place['upload_id']}/confirm", json={})
    walk("GET", f"{models}/net_1_0_0")
    walk("POST", models, data={**wanted, "version": "2.0.0"}, files={"file": ("net.safetensors", safetensors())})
    walk("POST", f"{models}/net_2_0_0/deploy")
    walk("GET", f"{models}/net_2_0_0")
    walk("GET", models)
    walk("DELETE", f"{models}/net_1_0_0")


def _share(walk: Walk, archive: bytes, name: str) -> None:
    plugin_id = _upload(walk, "/v1/plugins", archive, name)
    walk("DELETE", f"/v1/plugins/{plugin_id}")
    again = {"name": name, "message": "once more"}
    plugin_id = walk("POST", "/v1/plugins", data=again, files={"file": ("p.zip", archive)})["plugin_id"]
    walk("GET", "/v1/plugins")
    walk("GET", f"/v1/plugins/{plugin_id}")
    walk("GET", f"/v1/plugins/{plugin_id}/logs")
    walk("POST", f"{walk.namespace}/plugins/org/{plugin_id}/enable", json={"deploy": False})
    walk("GET", f"{walk.namespace}/plugins/available")
    walk("GET", f"{walk.namespace}/extractors?source=community")
    walk("POST", f"{walk.namespace}/plugins/reconfigure", json={"dry_run": True})
    walk("POST", f"{walk.namespace}/plugins/org/{plugin_id}/disable")


def _fill(walk: Walk) -> str:
    bucket = walk("POST", "/v1/buckets", json={"bucket_name": "texts", "bucket_schema": BUCKET_SCHEMA})["bucket_id"]
    walk("POST", "/v1/buckets/list", json={})
    objects = f"/v1/buckets/{bucket}/objects"
    good = walk("POST", objects, json={"content": "hello there", "topic": "greetings"})["object_id"]
    bad = walk("POST", objects, json={"content": "bad"})["object_id"]
    walk("POST", f"{objects}/batch", json={"objects": [{"content": "again"}, {"unknown": 1}]})
    walk("POST", f"{objects}/list", json={})
    walk("GET", f"{objects}/{good}")
    walk("GET", f"/v1/buckets/{bucket}")
    _edit(walk)
    extractor = {
        "feature_extractor_name": "walked_words",
        "version": "1.0.0",
        "input_mappings": {"text": "content"},
        "field_passthrough": ["content"],
    }
    source = {"type": "bucket", "bucket_ids": [bucket]}
    body = {"collection_name": "words", "source": source, "feature_extractor": extractor}
    collection: str = walk("POST", "/v1/collections", json=body)["collection_id"]
    task = walk("POST", f"/v1/collections/{collection}/trigger", 202, json={})["task_id"]
    walk.until_ended(f"/v1/tasks/{task}", *ENDED)
    batches = f"/v1/buckets/{bucket}/batches"
    batch = walk("POST", batches, json={"object_ids": [good, bad]})["batch_id"]
    task = walk("POST", f"{batches}/{batch}/submit")["task_id"]
    assert walk.until_ended(f"/v1/tasks/{task}", *ENDED)["status"] == "COMPLETED_WITH_ERRORS"
    walk("GET", f"{batches}/{batch}")
    assert walk("GET", f"{batches}/{batch}/failed-documents")["total"] == 1
    _steer_batches(walk, batches, batch, [good, bad])
    walk("POST", "/v1/tasks/list", json={})
    walk("DELETE", f"/v1/tasks/{task}")
    walk("POST", f"/v1/tasks/{task}/kill")
    task = walk("POST", f"{batches}/trigger", 202, json={"collection_ids": [collection]})["task_id"]
    walk.until_ended(f"/v1/tasks/{task}", *ENDED)
    return collection


def _edit(walk: Walk) -> None:
    """Change, upload and delete in a bucket that nothing reads."""
    schema = {"properties": {"name": {"type": "string"}, "photo": {"type": "image"}}}
    bucket = walk("POST", "/v1/buckets", json={"bucket_name": "photos", "bucket_schema": schema})["bucket_id"]
    walk("PUT", f"/v1/buckets/{bucket}", json={"bucket_name": "pictures", "bucket_schema": schema})
    walk("PATCH", f"/v1/buckets/{bucket}", json={"description": "Pictures"})
    uploads = f"/v1/buckets/{bucket}/uploads"
    place = walk("POST", uploads, json={"filename": "a.png", "content_type": "image/png"})
    walk("PUT", place["presigned_url"], content=png())
    done = walk("POST", f"{uploads}/{place['upload_id']}/confirm")
    walk("GET", f"{uploads}/{place['upload_id']}")
    walk("POST", f"{uploads}/list?include_total=true", json={})
    made = f"/v1/buckets/{bucket}/objects/{done['object_id']}"
    walk("PATCH", made, json={"name": "fox"})
    walk("PUT", made, json={"name": "hare"})
    walk("DELETE", f"{uploads}/{place['upload_id']}", 204)
    walk("DELETE", made, 204)
    walk("DELETE", f"/v1/buckets/{bucket}")


def _search(walk: Walk, collection: str) -> None:
    walk("POST", "/v1/collections/list", json={})
    made = walk("GET", f"/v1/collections/{collection}")
    documents = f"/v1/collections/{collection}/documents"
    listed = walk("POST", f"{documents}/list?include_total=true", json={"return_vectors": True})
    document = f"{documents}/{listed['results'][0]['document_id']}"
    walk("GET", document)
    walk("GET", f"{document}/lineage")
    walk("POST", f"{documents}/list?include_total=true", json={"group_by": "content", "select": ["content"]})
    walk("POST", f"{documents}/aggregate", json=EXAMPLES["Aggregate"])
    own = walk("POST", documents, json={"topic": "made by hand"})["document_id"]
    walk("PATCH", document, json={"note": 1})
    walk("PUT", f"{documents}/{own}", json={"topic": "again"})
    walk("PATCH", f"{documents}/bulk", json={"filters": {"topic": "again"}, "update_data": {"note": 2}})
    update = {"document_id": own, "update_data": {"note": 3}}
    walk("POST", f"{documents}/batch", json={"updates": [update, {**update, "document_id": "doc_absent"}]})
    walk("DELETE", f"{documents}/{own}")
    walk("DELETE", f"{documents}/batch", json={"document_ids": [own]})
    searched = {
        "feature_uri": made["vector_indexes"][0]["feature_uri"],
        "query": {"input_mode": "text", "value": "{{INPUT.query}}"},
    }
    stage = {"stage_name": "s", "config": {"stage_id": "feature_search", "parameters": {"searches": [searched]}}}
    inputs = {"query": {"type": "text"}}
    body = {
        "retriever_name": "near",
        "collection_identifiers": [collection],
        "stages": [stage],
        "input_schema": inputs,
    }
    walk("POST", "/v1/retrievers", json=body)
    walk("POST", "/v1/retrievers/list", json={})
    walk("GET", "/v1/retrievers/stages")
    walk("GET", "/v1/retrievers/near")
    found = walk("POST", "/v1/retrievers/near/execute?return_vectors=true", json={"inputs": {"query": "hello"}})
    assert found["documents"]
    grouping = {"group_by": {"field": "content"}, "facets": ["content"], "searches": [searched]}
    wide = {"stage_name": "wide", "config": {"stage_id": "feature_search", "parameters": grouping}}
    figures = {"aggregations": [{"function": "count", "alias": "n"}], "include_documents": True}
    counted = {"stage_name": "counted", "config": {"stage_id": "aggregate", "parameters": figures}}
    asked = {"collection_identifiers": [collection], "stages": [wide, counted], "inputs": {"query": "hello"}}
    walk("POST", "/v1/retrievers/execute", json={**asked, "pagination": {"method": "scroll", "limit": 1}})
    walk("POST", "/v1/retrievers/near/execute/explain", json={"inputs": {"query": "hello"}})
    walk("GET", "/v1/retrievers")
    walk("PATCH", "/v1/retrievers/near", json={"description": "What is near"})
    walk("GET", "/v1/retrievers/near/versions")
    walk("POST", "/v1/retrievers/near/clone", 201, json={"retriever_name": "nearer"})
    walk("DELETE", "/v1/retrievers/nearer")


def _steer_batches(walk: Walk, batches: str, ended: str, objects: list[str]) -> None:
    """Do with batches what there is to do beside running them; `ended` has rows that were skipped."""
    draft = walk("POST", batches, json={"object_ids": objects[:1]})["batch_id"]
    assert walk("POST", f"{batches}/{draft}/objects", json={"object_ids": objects})["object_ids"] == objects
    assert walk("GET", batches)["total_count"] == 3
    assert walk("POST", f"{batches}/list", json={"status": "DRAFT"})["total_count"] == 1
    assert walk("POST", f"{batches}/{draft}/cancel")["status"] == "CANCELED"
    walk("DELETE", f"{batches}/{draft}")
    walk("GET", f"{batches}/{ended}/events")
    walk("GET", f"{batches}/{ended}/logs")
    assert walk("POST", f"{batches}/{ended}/retry", json={"retry_mode": "all"})["rows_to_retry"] == 0
    walk("GET", f"/v1/analytics/performance/batches/{ended}/diagnostics")


def _upgrade(walk: Walk, collection: str) -> None:
    upgrade = f"/v1/collections/{collection}/upgrade"
    walk("GET", f"/v1/collections/{collection}/segments")
    begun = walk("POST", upgrade, json={"version": "1.1.0", "start": True})["upgrade"]
    walk.until_ended(f"/v1/tasks/{begun['task_id']}", *ENDED)
    walk("GET", upgrade)
    walk("POST", f"{upgrade}/compare", json={"queries": ["hello"]})
    for way in ("switch", "rollback"):
        walk("POST", f"{upgrade}/{way}", json={"force": "words"})  # one row fails in both
    walk("POST", f"{upgrade}/drop")
    begun = walk("POST", upgrade, json={"version": "1.1.0", "start": True})["upgrade"]
    walk("POST", f"{upgrade}/cancel")
    walk.until_ended(f"/v1/tasks/{begun['task_id']}", *ENDED)


def _delete(walk: Walk, collection: str) -> None:
    cloned = walk("POST", f"/v1/collections/{collection}/clone", 201, json={"collection_name": "like_it"})["collection"]
    walk("PATCH", f"/v1/collections/{cloned['collection_id']}", json={"enabled": False})
    walk("PUT", f"/v1/collections/{cloned['collection_id']}", json={"description": "renewed"})
    walk("DELETE", f"/v1/collections/{collection}")
    walk("DELETE", f"{walk.namespace}/plugins/walked_words_1_1_0")
    walk("GET", "/v1/organizations/audit/logs?limit=1000")


def test_the_walk_calls_every_route(walk: Walk) -> None:
    called = {name_of(route) for route, _ in walk.answers}

    assert called == {name_of(route) for route in ROUTES}


def test_every_answer_is_exactly_what_its_schema_says(walk: Walk) -> None:
    faults = []
    for route, answer in walk.answers:
        documented = route.responses[answer.status_code]
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind != "application/json":
            own = getattr(route.response_class, "media_type", None)
            assert not answer.content or kind in {own, *documented.get("content", {})}
            continue
        model = documented.get("model") or route.response_model
        try:
            TypeAdapter(model).validate_json(answer.content, strict=True)
        except ValueError as error:
            faults.append(f"{name_of(route)}: {error}")

    assert not faults, "\n".join(sorted(set(faults)))


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
@pytest.mark.parametrize("key", [None, API_KEY], ids=["without a key", "with a key"])
def test_every_refusal_is_documented_and_in_the_envelope(
    server: Server, client: Mixpeek, route: APIRoute, key: str | None, openapi: dict[str, Any]
) -> None:
    path = re.sub(r"\{\w+\}", "nothing_1_0_0", route.path)
    headers = {"X-Namespace": client.namespace or "", **({"Authorization": f"Bearer {key}"} if key else {})}
    query = {} if key is None else {"nonsense": "1"}
    (method,) = route.methods or ()

    # Plain HTTP: without certificates, which take longer to read than this request.
    answer = httpx.request(method, server.url + path, params=query, headers=headers, timeout=30, verify=False)

    if answer.status_code < 400:
        assert path.startswith("/v1/health") or path == "/v1/retrievers/stages"
        return
    assert str(answer.status_code) in openapi["paths"][route.path][method.lower()]["responses"]
    ErrorEnvelope.model_validate_json(answer.content, strict=True)


@pytest.fixture(scope="module")
def openapi(server: Server) -> dict[str, Any]:
    """What the server says of itself."""
    found: dict[str, Any] = httpx.get(f"{server.url}/openapi.json", timeout=30).raise_for_status().json()
    return found
