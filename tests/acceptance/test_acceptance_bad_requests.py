"""Requests that cannot be carried out: the documented status, one envelope, and what to do instead."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.platform import BUCKET_SCHEMA, unique
from factories.servers import Server
from mixpeek import Mixpeek

UPLOADS = "/namespaces/{ns}/plugins/uploads"
BUCKET = {"bucket_name": "texts", "bucket_schema": BUCKET_SCHEMA}
COLLECTION = {
    "collection_name": "words",
    "source": {"type": "bucket", "bucket_ids": ["bkt_1"]},
    "feature_extractor": {"feature_extractor_name": "text_extractor", "version": "v1"},
}
RETRIEVER = {
    "retriever_name": "search",
    "collection_identifiers": ["col_1"],
    "stages": [{"stage_name": "s", "config": {"stage_id": "feature_search"}}],
}
# Answered without a key: health for whoever watches, URLs that carry their own signature, and what stages there are.
OPEN = re.compile(r"^/v1/(health|blobs)(/|$)|/retrievers/stages$")


@pytest.mark.parametrize(
    ("path", "body", "advice"),
    [
        ("/namespaces", {"namespace_nam": "x"}, "did you mean `namespace_name`?"),
        ("/buckets", {**BUCKET, "descripton": "x"}, "did you mean `description`?"),
        ("/collections", {**COLLECTION, "colection_name": "x"}, "did you mean `collection_name`?"),
        (
            "/collections",
            {**COLLECTION, "feature_extractor": {**COLLECTION["feature_extractor"], "input_mapping": {}}},  # type: ignore[dict-item]
            "did you mean `input_mappings`?",
        ),
        ("/retrievers", {**RETRIEVER, "collection_identifier": "x"}, "did you mean `collection_identifiers`?"),
        (UPLOADS, {"name": "text_embed", "file_size": 1}, "did you mean `file_size_bytes`?"),
        ("/buckets/list", {"limits": 1}, "did you mean `limit`?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_key_it_may_stand_for(
    http: httpx.Client, client: Mixpeek, path: str, body: dict[str, Any], advice: str
) -> None:
    answer = http.post(path.format(ns=client.namespace), json=body)

    error = refusal(answer, 422, "ValidationError")
    assert advice in str(error["details"]["validation_errors"])
    assert all({"type", "location", "message"} <= set(line) for line in error["details"]["validation_errors"])


@pytest.mark.parametrize(
    "authorization", [None, "Bearer sk_wrong", "Bearer", "Basic c2s6", "sk_test_acceptance"]
)  # fmt: skip
def test_without_a_key_of_this_server_the_answer_is_401(server: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = httpx.post(f"{server.url}/v1/namespaces/list", headers=headers, json={})

    error = refusal(answer, 401, "UnauthorizedError")
    assert "Authorization: Bearer" in error["hint"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_route_wants_a_key_but_those_that_are_open(server: Server) -> None:
    paths: dict[str, dict[str, Any]] = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods if not OPEN.search(path)]

    with httpx.Client(base_url=server.url) as anyone:
        answers = {
            (method, path): anyone.request(method, re.sub(r"\{\w+\}", "x", path), json={}) for method, path in routes
        }

    assert len(routes) > 30
    for answer in answers.values():
        refusal(answer, 401, "UnauthorizedError")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/namespaces/ns_none", None),
        ("DELETE", "/namespaces/ns_none", None),
        ("GET", "/namespaces/ns_none/plugins", None),
        ("GET", "/namespaces/{ns}/plugins/none_1_0_0", None),
        ("GET", "/namespaces/{ns}/plugins/none_1_0_0/status", None),
        ("POST", "/namespaces/{ns}/plugins/none_1_0_0/deploy", None),
        ("POST", "/namespaces/{ns}/plugins/none_1_0_0/undeploy", None),
        ("POST", "/namespaces/{ns}/plugins/none_1_0_0/realtime/test", {"inputs": {}}),
        ("POST", "/namespaces/{ns}/plugins/uploads/pup_none/confirm", {}),
        ("GET", "/buckets/bkt_none", None),
        ("POST", "/buckets/bkt_none/objects", {"blobs": []}),
        ("POST", "/buckets/bkt_none/objects/list", {}),
        ("GET", "/buckets/bkt_none/objects/obj_none", None),
        ("GET", "/buckets/{bucket}/objects/obj_none", None),
        ("POST", "/buckets/{bucket}/batches", {"object_ids": ["obj_none"]}),
        ("GET", "/buckets/{bucket}/batches/btch_none", None),
        ("POST", "/buckets/{bucket}/batches/btch_none/submit", {}),
        ("GET", "/buckets/{bucket}/batches/btch_none/failed-documents", None),
        ("GET", "/collections/col_none", None),
        ("DELETE", "/collections/col_none", None),
        ("POST", "/collections/col_none/trigger", {}),
        ("POST", "/collections/col_none/documents/list", {}),
        ("GET", "/collections/col_none/documents/doc_none", None),
        ("POST", "/collections", COLLECTION),
        ("GET", "/tasks/task_none", None),
        ("GET", "/retrievers/ret_none", None),
        ("POST", "/retrievers", RETRIEVER),
        ("POST", "/retrievers/ret_none/execute", {"inputs": {}}),
    ],
)
def test_what_does_not_exist_is_404_naming_it(
    http: httpx.Client, client: Mixpeek, method: str, path: str, body: dict[str, Any] | None
) -> None:
    bucket = client.buckets.create(unique("bucket"), BUCKET_SCHEMA).bucket_id

    answer = http.request(method, path.format(ns=client.namespace, bucket=bucket), json=body)

    error = refusal(answer, 404, "NotFoundError")
    assert {"resource", "id"} <= set(error["details"])
    assert error["hint"]


def test_an_extractor_that_does_not_exist_is_404(http: httpx.Client, client: Mixpeek) -> None:
    bucket = client.buckets.create("texts", BUCKET_SCHEMA).bucket_id
    extractor = {"feature_extractor_name": "nobodys_extractor"}
    source = {"type": "bucket", "bucket_ids": [bucket]}

    answer = http.post(
        "/collections", json={"collection_name": "words", "source": source, "feature_extractor": extractor}
    )

    assert "nobodys_extractor" in refusal(answer, 404, "NotFoundError")["message"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/buckets", "/nothing"])
def test_an_unknown_route_is_404(http: httpx.Client, server: Server, path: str) -> None:
    refusal(http.get(f"{server.url}{path}"), 404, "NotFoundError")


def test_a_method_that_a_route_does_not_take_is_405(http: httpx.Client) -> None:
    answer = http.put("/buckets", json={})

    refusal(answer, 405, "MethodNotAllowedError")
    assert answer.headers["Allow"]


@pytest.mark.parametrize("content", [b'{"bucket_name": ', b"\xff\xfe", b"[]", b'"text"'])
def test_a_body_that_is_no_json_object_is_refused(http: httpx.Client, content: bytes) -> None:
    answer = http.post("/buckets", content=content, headers={"Content-Type": "application/json"})

    refusal(answer, 422, "ValidationError")


def test_a_request_without_a_namespace_says_which_header_to_send(http: httpx.Client) -> None:
    del http.headers["X-Namespace"]

    answer = http.post("/buckets/list", json={})

    assert "X-Namespace" in refusal(answer, 422, "ValidationError")["hint"]


def test_a_namespace_may_be_named_by_its_name_too(http: httpx.Client, client: Mixpeek) -> None:
    name = client.namespaces.get(client.namespace or "").namespace_name

    listed = http.post("/buckets/list", json={}, headers={"X-Namespace": name})

    assert listed.status_code == 200


def test_a_name_that_is_taken_is_409(http: httpx.Client) -> None:
    http.post("/buckets", json=BUCKET).raise_for_status()

    refusal(http.post("/buckets", json=BUCKET), 409, "AlreadyExistsError")


def test_the_request_id_a_client_sends_comes_back(http: httpx.Client) -> None:
    answer = http.get("/buckets/bkt_none", headers={"X-Request-Id": "my-own-id"})

    refusal(answer, 404, "NotFoundError")
    assert answer.headers["X-Request-Id"] == "my-own-id"


@pytest.mark.parametrize(
    ("object_", "words"),
    [
        ({"blobs": []}, "'content' is missing"),
        ({"blobs": [{"property": "contnt", "type": "text", "data": "x"}]}, "no property 'contnt'"),
        ({"blobs": [{"property": "content", "type": "text", "data": "a\x00b"}]}, "NUL"),
        ({"blobs": {"content": "x"}}, "blobs"),
    ],
)
def test_an_object_that_does_not_fit_its_bucket_is_refused_alone(
    http: httpx.Client, client: Mixpeek, object_: dict[str, Any], words: str
) -> None:
    bucket = client.buckets.create("texts", BUCKET_SCHEMA).bucket_id
    good = {"blobs": [{"property": "content", "type": "text", "data": "good"}]}

    alone = http.post(f"/buckets/{bucket}/objects", json=object_)
    among_others = client.objects.create_batch(bucket, [good, object_, good])

    refusal(alone, 422, "ValidationError")
    assert words in alone.text
    assert [(failure["object_index"], words in failure["error"]) for failure in among_others.failed] == [(1, True)]
    assert client.buckets.get(bucket).object_count == 2


def test_a_lone_surrogate_is_refused_rather_than_stored(http: httpx.Client, client: Mixpeek) -> None:
    bucket = client.buckets.create("texts", BUCKET_SCHEMA).bucket_id
    body = b'{"blobs": [{"property": "content", "type": "text", "data": "\\ud800"}]}'

    answer = http.post(f"/buckets/{bucket}/objects", content=body, headers={"Content-Type": "application/json"})

    assert "surrogate" in refusal(answer, 422, "ValidationError")["message"]


def test_namespaces_do_not_see_each_other(server: Server, http: httpx.Client, client: Mixpeek) -> None:
    with server.client() as other:
        bucket = other.buckets.create("texts", BUCKET_SCHEMA).bucket_id

    refusal(http.get(f"/buckets/{bucket}"), 404, "NotFoundError")
    assert client.buckets.list()["results"] == []
