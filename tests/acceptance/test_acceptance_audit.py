"""The audit log over HTTP: who did what, what was refused, and how to find it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from factories.platform import BUCKET_SCHEMA, bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

LOGS = "/organizations/audit/logs"
SHAPE = {
    "audit_id", "timestamp", "resource_type", "resource_id", "action", "actor_id", "actor_type", "status", "changes",
    "ip_address", "user_agent",
}  # fmt: skip


@pytest.fixture
def key(http: httpx.Client, client: Mixpeek) -> Iterator[dict[str, Any]]:
    """A writing key of this test's namespace."""
    body = {"name": unique("auditor"), "permissions": ["write"], "namespaces": [client.namespace]}
    made = http.post("/organizations/api-keys", json=body).raise_for_status().json()
    yield made
    http.delete(f"/organizations/api-keys/{made['key_id']}")


@pytest.fixture
def own(server: Server, client: Mixpeek, key: dict[str, Any]) -> Iterator[httpx.Client]:
    """Plain HTTP with that key."""
    headers = {
        "Authorization": f"Bearer {key['key']}",
        "X-Namespace": client.namespace or "",
        "User-Agent": "audit test",
    }
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=60, verify=False) as one:
        yield one


def events(http: httpx.Client, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(LOGS, params={"limit": 1000, **filters}).raise_for_status().json()["results"]
    return found


def make_bucket(http: httpx.Client, name: str | None = None) -> httpx.Response:
    return http.post("/buckets", json={"bucket_name": name or unique("bucket"), "bucket_schema": BUCKET_SCHEMA})


def test_a_change_names_its_key_its_place_and_what_was_made(
    http: httpx.Client, own: httpx.Client, client: Mixpeek, key: dict[str, Any]
) -> None:
    made = make_bucket(own).raise_for_status()

    event = events(http, resource_id=made.json()["bucket_id"])[0]

    assert set(event) >= SHAPE
    assert (event["resource_type"], event["action"], event["status"]) == ("bucket", "create", "success")
    assert (event["actor_id"], event["actor_name"], event["actor_type"]) == (key["key_id"], key["name"], "api_key")
    assert (event["ip_address"], event["user_agent"]) == ("127.0.0.1", "audit test")
    assert event["namespace_id"] == client.namespace
    assert event["request_id"] == made.headers["X-Request-Id"]
    assert event["changes"]["before"] is None
    assert event["changes"]["after"]["bucket_name"] == made.json()["bucket_name"]


def test_a_plugin_from_upload_to_undeploy_is_told_under_the_key_that_asked(
    http: httpx.Client, server: Server, client: Mixpeek, key: dict[str, Any], make_plugin: MakePlugin
) -> None:
    with Mixpeek(api_key=key["key"], base_url=server.url, namespace=client.namespace) as author:
        plugin_id = publish(author, make_plugin("audited_words"), deploy=True)
        author.plugins.undeploy(plugin_id)

    told = events(http, namespace_id=client.namespace, status="success")
    actions = {(event["resource_type"], event["action"]) for event in told}

    assert {
        ("upload", "request"),
        ("upload", "confirm"),
        ("plugin", "publish"),
        ("plugin", "activate"),
        ("deployment", "deploy"),
        ("deployment", "update"),
        ("plugin", "go_live"),
        ("plugin", "undeploy"),
    } <= actions
    # The rollout is the worker's, which acts for the key.
    by = {event["actor_id"] for event in told if event["resource_type"] in ("plugin", "deployment")}
    assert by == {key["key_id"]}


def test_a_batch_is_told_from_its_start_to_its_end(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("batched_words"))
    collection = collection_of(client, bucket_with(client, ["one", "two"]), "batched_words")

    run_batch(client, collection)

    told = events(http, resource_type="batch", namespace_id=client.namespace)
    statuses = [event["changes"]["after"].get("status") for event in reversed(told)]
    assert told[-1]["action"] == "create"
    assert statuses[0] == "PENDING"
    assert statuses[-1] == "COMPLETED"
    assert len(events(http, resource_type="object", namespace_id=client.namespace)) == 2


def test_refused_changes_of_a_known_key_are_recorded_and_reads_and_strangers_are_not(
    http: httpx.Client, own: httpx.Client, server: Server, client: Mixpeek, key: dict[str, Any]
) -> None:
    name = make_bucket(own).json()["bucket_name"]

    taken = make_bucket(own, name)
    invalid = own.post("/buckets", json={"bucket_nam": "x"})
    malformed = own.post("/buckets", content=b"{", headers={"Content-Type": "application/json"})
    forbidden = own.delete(f"/namespaces/{client.namespace}")
    elsewhere = own.post("/buckets", headers={"X-Namespace": "another"}, json={})
    absent = own.post(f"/namespaces/{client.namespace}/plugins/absent_1_0_0/deploy")
    own.get("/buckets/absent")
    httpx.post(f"{server.url}/v1/buckets", json={}, timeout=30)

    answers = [taken, invalid, malformed, forbidden, elsewhere, absent]
    told = events(http, actor_id=key["key_id"], status="refused")[::-1]
    assert [answer.status_code for answer in answers] == [409, 422, 422, 403, 404, 404]
    assert [event["changes"]["http_status"] for event in told] == [answer.status_code for answer in answers]
    assert [event["request_id"] for event in told] == [answer.headers["X-Request-Id"] for answer in answers]
    assert [(event["action"], event["resource_type"]) for event in told] == [
        *[("create", "bucket")] * 3,
        ("delete", "namespace"),
        ("create", "bucket"),
        ("deploy", "plugin"),
    ]
    assert told[3]["resource_id"] == client.namespace
    assert told[5]["resource_id"] == "absent_1_0_0"


def test_what_a_refused_request_began_is_not_told_as_done(http: httpx.Client, own: httpx.Client) -> None:
    name = make_bucket(own).json()["bucket_name"]
    before = len(events(http, resource_type="bucket", status="success"))

    make_bucket(own, name)

    assert len(events(http, resource_type="bucket", status="success")) == before


def test_events_are_paged_and_filtered(http: httpx.Client, own: httpx.Client, key: dict[str, Any]) -> None:
    start = datetime.now(UTC).isoformat()
    made = [make_bucket(own).json()["bucket_id"] for _ in range(5)]
    filters = {"actor_id": key["name"], "resource_type": "bucket", "action": "create", "since": start}

    first = http.get(LOGS, params={**filters, "limit": 3}).json()
    second = http.get(LOGS, params={**filters, "limit": 3, "cursor": first["pagination"]["next_cursor"]}).json()
    earlier = events(http, actor_id=key["key_id"], until=start)

    assert [event["resource_id"] for event in first["results"] + second["results"]] == made[::-1]
    assert second["pagination"]["next_cursor"] is None
    assert not earlier


@pytest.mark.parametrize(
    "params", [{"status": "maybe"}, {"since": "yesterday"}, {"limit": 0}, {"cursor": "bm90IGEgbnVtYmVy"}]
)
def test_a_filter_that_means_nothing_is_refused(http: httpx.Client, params: dict[str, Any]) -> None:
    assert http.get(LOGS, params=params).status_code == 422


def test_only_an_admin_reads_the_log(http: httpx.Client, own: httpx.Client) -> None:
    assert own.get(LOGS).status_code == 403
    assert http.get(LOGS).status_code == 200


def test_no_key_is_ever_told(http: httpx.Client, key: dict[str, Any]) -> None:
    rotated = http.post(f"/organizations/api-keys/{key['key_id']}/rotate").json()

    told = events(http, resource_id=key["key_id"])

    assert [event["action"] for event in told] == ["rotate", "create"]
    for secret in (key["key"], rotated["key"], API_KEY, "key_hash"):
        assert secret not in str(told)
    assert told[0]["changes"]["after"]["key_prefix"] == rotated["key"][:10]
