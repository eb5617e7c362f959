"""Lists, documents, tasks and nested addresses of a running server, over plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.platform import BUCKET_SCHEMA, bucket_with, collection_of, publish, unique
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server


class Place:
    """A filled collection, and HTTP in its namespace."""

    def __init__(self, http: httpx.Client, collection_id: str, bucket_id: str, namespace: str, task_id: str) -> None:
        self.http = http
        self.collection_id = collection_id
        self.bucket_id = bucket_id
        self.namespace = namespace
        self.task_id = task_id
        self.documents = f"/v1/collections/{collection_id}/documents"

    def list(self, **body: Any) -> Any:
        answer = self.http.post(f"{self.documents}/list", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with server.client() as client:
        publish(client, write_plugin(tmp_path_factory.mktemp("data") / "small_words"))
        texts = ["red apple", "green apple", "red car", "blue sky"]
        bucket_id = bucket_with(client, texts, topics=["fruit", "fruit", "thing", "Thing"])
        collection = collection_of(client, bucket_id, "small_words", field_passthrough=["content", "topic"])
        task_id = client.collections.trigger(collection.collection_id).task_id
        assert client.tasks.wait(task_id, timeout_s=90).status == "COMPLETED"
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
            yield Place(http, collection.collection_id, bucket_id, client.namespace or "", task_id)


def test_documents_are_filtered_sorted_selected_and_paged_in_one_request_after_the_other(place: Place) -> None:
    request = {
        "filters": {
            "OR": [{"field": "topic", "value": "thing"}, {"field": "content", "operator": "text", "value": "RED"}]
        },
        "sort": {"field": "content", "direction": "desc"},
        "select": ["content"],
        "page_size": 2,
    }

    first = place.list(**request, include_total=True)
    second = place.list(**request, cursor=first["pagination"]["next_cursor"])

    seen = first["results"] + second["results"]
    assert [document["content"] for document in seen] == ["red car", "red apple", "blue sky"]
    assert {key for document in seen for key in document} == {"document_id", "collection_id", "content"}
    assert (first["pagination"]["total"], first["pagination"]["page"], first["pagination"]["total_pages"]) == (3, 1, 2)
    assert (second["pagination"]["next_cursor"], second["stats"]) == (None, None)


def test_documents_are_grouped_and_counted(place: Place) -> None:
    grouped = place.list(group_by="topic")
    counted = place.http.post(
        f"{place.documents}/aggregate",
        json={"group_by": [{"field": "topic"}], "aggregations": [{"function": "count", "alias": "n"}], "sort_by": "n"},
    ).json()

    assert {group["group_key"]: group["count"] for group in grouped["groups"]} == {"Thing": 1, "fruit": 2, "thing": 1}
    assert (grouped["group_by_field"], grouped["results"], grouped["stats"]["total_groups"]) == ("topic", [], 3)
    assert counted["results"][0] == {"group": {"topic": "fruit"}, "metrics": {"n": 2}}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"filters": {"operator": "and", "conditions": []}}, 'write {"AND": […]}'),
        ({"filters": {"field": "x", "operator": "regex", "value": "(?=a)"}}, "no look-around"),
        ({"filtres": {}}, "did you mean `filters`?"),
        ({"sort": {"field": "x"}, "sorts": [{"field": "x"}]}, "either `sort` or `sorts`"),
        ({"cursor": "bm9uc2Vuc2U="}, "cursor is not one of this list's"),
        ({"filters": {"field": "_internal.created_at", "operator": "gt", "value": "soon"}}, "is a time"),
    ],
)
def test_what_a_list_cannot_do_is_refused_with_what_to_write_instead(
    place: Place, body: dict[str, Any], says: str
) -> None:
    error = refusal(place.http.post(f"{place.documents}/list", json=body), 422, "ValidationError")

    assert says in str(error)


def test_system_fields_and_vectors_are_refused_by_name_and_nothing_is_changed(place: Place) -> None:
    [document] = place.list(limit=1)["results"]
    at = f"{place.documents}/{document['document_id']}"
    vector = place.http.get(f"/v1/collections/{place.collection_id}").json()["vector_indexes"][0]["name"]

    answer = place.http.patch(at, json={"_internal": {}, "document_id": "x", vector: [1], "note": 1})

    error = refusal(answer, 422, "ValidationError")
    named = {fault["location"][1] for fault in error["details"]["validation_errors"]}
    assert named == {"_internal", "document_id", vector}
    assert "note" not in place.http.get(at).json()


def test_a_document_is_made_changed_found_and_deleted_and_each_is_in_the_audit_log(place: Place) -> None:
    made = place.http.post(place.documents, json={"title": "by hand", "metadata": {"a": 1}, "root_object_id": "obj_x"})
    at = f"{place.documents}/{made.json()['document_id']}"

    place.http.patch(at, json={"metadata.b": 2}).raise_for_status()
    found = place.list(filters={"root_object_id": "obj_x"})["results"]
    lineage = place.http.get(f"{at}/lineage").json()
    gone = place.http.delete(at)
    again = place.http.delete(at)

    assert [document["metadata"] for document in found] == [{"a": 1, "b": 2}]
    assert lineage["root_object_id"] == "obj_x"
    assert (gone.status_code, again.status_code) == (200, 404)
    resource = made.json()["document_id"]
    logs = place.http.get(f"/v1/organizations/audit/logs?resource_id={resource}").json()["results"]
    assert [(event["action"], event["status"]) for event in logs] == [
        ("delete", "refused"), ("delete", "success"), ("update", "success"), ("create", "success"),
    ]  # fmt: skip


def test_bulk_changes_touch_what_passes_the_filter_and_batches_say_what_became_of_each(place: Place) -> None:
    bulk = {"filters": {"field": "topic", "value": "fruit"}, "update_data": {"reviewed": True}}
    chosen = place.list(filters={"topic": "fruit"})["results"][0]["document_id"]
    updates = [{"document_id": each, "update_data": {"note": each}} for each in (chosen, "doc_absent")]

    in_bulk = place.http.patch(f"{place.documents}/bulk", json=bulk).json()
    each = place.http.post(f"{place.documents}/batch", json={"updates": updates}).json()
    without = place.http.request("DELETE", f"{place.documents}/batch", json={"filters": {}})

    assert in_bulk["updated_count"] == 2
    assert len(place.list(filters={"reviewed": True})["results"]) == 2
    assert [(result["document_id"], result["success"]) for result in each["results"]] == [
        (chosen, True),
        ("doc_absent", False),
    ]
    refusal(without, 422, "ValidationError")


def test_edits_stay_when_the_collection_runs_again(place: Place) -> None:
    [document] = place.list(filters={"content": "blue sky"})["results"]
    at = f"{place.documents}/{document['document_id']}"
    place.http.patch(at, json={"note": "mine", "content": "changed"}).raise_for_status()

    task = place.http.post(f"/v1/collections/{place.collection_id}/trigger", json={}).json()["task_id"]
    ended = place.http.get(f"/v1/tasks/{task}?wait=60").json()

    again = place.http.get(at).json()
    assert ended["status"] == "COMPLETED"
    assert (again["note"], again["content"]) == ("mine", "blue sky")


def test_a_task_is_waited_for_until_it_ends_and_an_ended_one_is_answered_at_once(place: Place) -> None:
    task = place.http.post(
        f"/v1/buckets/{place.bucket_id}/batches/trigger", json={"collection_ids": [place.collection_id]}
    )
    task_id = task.json()["task_id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: place.http.get(f"/v1/tasks/{task_id}?wait=60").json()["status"], range(8)))
    began = time.monotonic()
    at_once = place.http.get(f"/v1/tasks/{task_id}?wait=60")
    killed = place.http.delete(f"/v1/tasks/{task_id}")

    assert answers == ["COMPLETED"] * 8
    assert (at_once.status_code, killed.json()["success"]) == (200, True)
    assert time.monotonic() - began < 30
    refusal(place.http.get(f"/v1/tasks/{task_id}?wait=61"), 422, "ValidationError")


def test_tasks_are_listed_by_status_type_filter_and_search(place: Place) -> None:
    def listed(**body: Any) -> list[str]:
        answer = place.http.post("/v1/tasks/list", json=body).json()
        return [task["task_id"] for task in answer["results"]]

    assert place.task_id in listed(status="completed", task_type="api_collections_trigger")
    assert place.task_id not in listed(status="FAILED")
    assert listed(filters={"task_id": place.task_id}) == listed(search=place.task_id[5:].upper()) == [place.task_id]


def test_the_nested_spelling_is_the_flat_route_in_that_namespace(place: Place, server: Server) -> None:
    nested = f"/v1/namespaces/{place.namespace}"
    name = unique("nested")
    made = place.http.post(f"{nested}/buckets", json={"name": name, "bucket_schema": BUCKET_SCHEMA}).json()

    with server.client() as other:
        elsewhere = {"X-Namespace": other.namespace or ""}
        by_path = place.http.get(f"{nested}/buckets/{name}", headers=elsewhere)
        foreign = place.http.get(f"/v1/namespaces/{other.namespace}/tasks/{place.task_id}")

    documents = place.http.post(f"{nested}/collections/{place.collection_id}/documents/list", json={"limit": 1})
    assert (made["bucket_name"], by_path.json()["bucket_id"]) == (name, made["bucket_id"])
    assert len(documents.json()["results"]) == 1
    assert place.http.get(f"{nested}/tasks/{place.task_id}").status_code == 200
    refusal(foreign, 404, "NotFoundError")
    assert place.http.get(f"{nested}/plugins").status_code == 200


def test_namespaces_are_renamed_listed_by_filter_and_refused_what_is_not_kept(place: Place) -> None:
    name = unique("space")
    indexes = [{"field_name": "topic", "type": "keyword"}, {"field_name": "where", "type": "geo"}]
    made = place.http.post("/v1/namespaces", json={"name": name, "payload_indexes": indexes}).json()
    at = f"/v1/namespaces/{made['namespace_id']}"

    renamed = place.http.patch(at, json={"name": f"{name}_2", "description": "d"}).json()
    listed = place.http.post(
        "/v1/namespaces/list",
        json={"filters": {"field": "namespace_name", "operator": "starts_with", "value": name.upper()}},
    ).json()
    taken = place.http.put(f"/v1/namespaces/{place.namespace}", json={"namespace_name": f"{name}_2"})
    dedicated = place.http.post("/v1/namespaces", json={"name": name, "infrastructure": {"compute_tier": "shared"}})

    assert (renamed["namespace_name"], renamed["description"]) == (f"{name}_2", "d")
    assert renamed["payload_indexes"][0]["field_name"] == "topic"
    assert ["build nothing" in made["warnings"][0], "where" in made["warnings"][1]] == [True, True]
    assert renamed["warnings"] == [], "it declared none"
    assert ([n["namespace_id"] for n in listed["results"]], listed["total_count"]) == ([made["namespace_id"]], 1)
    assert place.http.get(f"/v1/namespaces/{name}").status_code == 404
    refusal(taken, 409, "AlreadyExistsError")
    assert "infrastructure" in refusal(dedicated, 422, "ValidationError")["message"]
    place.http.delete(at).raise_for_status()


def test_a_server_that_stops_answers_who_waits_for_a_task(make_server: Any) -> None:
    server = make_server().start()
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        publish(
            client, write_plugin(server.data_dir.with_name("slow") / "slow_words", batch="import time; time.sleep(20)")
        )
        collection = collection_of(client, bucket_with(client, ["x"]), "slow_words")
        task_id = client.collections.trigger(collection.collection_id).task_id
        headers = {"Authorization": f"Bearer {API_KEY}"}
        waiting = pool.submit(httpx.get, f"{server.url}/v1/tasks/{task_id}?wait=60", headers=headers, timeout=90)
        # Once another request is answered after it, the first one is being waited for.
        httpx.get(f"{server.url}/v1/tasks/{task_id}?wait=0.5", headers=headers, timeout=30).raise_for_status()

        code = server.stop()

        assert code == 0
        assert waiting.result(timeout=10).status_code == 200
