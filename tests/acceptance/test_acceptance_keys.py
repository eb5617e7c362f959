"""API keys over HTTP and on the server's machine; and every route refuses whom it must."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from factories.commands import run_command
from factories.platform import bucket_with, collection_of, publish, retriever_over, unique
from factories.plugins import write_plugin
from factories.servers import API_KEY, MakeServer, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.api.access import permission_of
from mixpeek.api.aliases import NESTED
from mixpeek.api.app import ROUTERS
from mixpeek.db.embedded import EmbeddedPostgres

# Reached without a key: whether the server lives, and URLs that carry their own signature.
# What stages there are is the same for everybody; the official client asks for it without its key.
STAGES = {"GET /v1/retrievers/stages", "GET /v1/namespaces/{namespace_id}/retrievers/stages"}
PUBLIC = {"GET /v1/health", "GET /v1/health/liveness", "PUT /v1/blobs/{token}", "GET /v1/blobs/{token}", *STAGES}
# Answered for a key of another namespace, with what that key may see.
FOR_ANY_KEY = {
    "GET /v1/namespaces",
    "POST /v1/namespaces/list",
    "POST /v1/tasks/list",
    "GET /v1/plugins",
    "GET /v1/organizations/secrets",
}

MakeKey = Callable[..., dict[str, Any]]


@pytest.fixture
def make_key(server: Server) -> Iterator[MakeKey]:
    """Create keys on the shared server; each is revoked after the test."""
    made: list[str] = []
    with httpx.Client(base_url=f"{server.url}/v1/organizations", headers=bearer(API_KEY), timeout=60) as admin:

        def make(*permissions: str, **fields: Any) -> dict[str, Any]:
            body = {"name": unique("key"), "permissions": permissions or ("read",), **fields}
            answer: dict[str, Any] = admin.post("/api-keys", json=body).raise_for_status().json()
            made.append(answer["key_id"])
            return answer

        yield make
        for key_id in made:
            admin.delete(f"/api-keys/{key_id}").raise_for_status()


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


# keys ----------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_stored_as_a_hash(server: Server, http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("write", description="publishes")

    listed = http.get("/organizations/api-keys", params={"limit": 1000}).json()["results"]
    found = http.get(f"/organizations/api-keys/{made['name']}").json()
    with psycopg.connect(EmbeddedPostgres(server.data_dir.resolve()).url) as connection:
        stored = connection.execute(
            "SELECT (SELECT string_agg(k::text, '') FROM api_keys k),"
            " (SELECT string_agg(e::text, '') FROM audit_events e)"
        ).fetchone()

    assert made["key"].startswith("sk_")
    assert made["key_prefix"] == made["key"][:10]
    assert (found["permissions"], found["description"], found["status"]) == (["write"], "publishes", "active")
    assert made["key_id"] in {key["key_id"] for key in listed}
    assert made["key"] not in str(listed) + str(found) + str(stored)


def test_last_use_is_noted(http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("read")
    assert made["last_used_at"] is None

    http.post("/namespaces/list", headers=bearer(made["key"])).raise_for_status()

    assert http.get(f"/organizations/api-keys/{made['key_id']}").json()["last_used_at"] is not None


def test_a_revoked_key_is_refused_within_a_second(http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("read")
    http.post("/namespaces/list", headers=bearer(made["key"])).raise_for_status()

    revoked = http.delete(f"/organizations/api-keys/{made['key_id']}").raise_for_status().json()
    at = time.monotonic()
    until(
        lambda: http.post("/namespaces/list", headers=bearer(made["key"])).status_code == 401,
        what="the revoked key is refused",
    )

    assert time.monotonic() - at < 1.0
    assert revoked["status"] == "revoked"


def test_rotating_a_key_ends_the_old_secret_and_keeps_the_rest(http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("read")

    rotated = http.post(f"/organizations/api-keys/{made['name']}/rotate").raise_for_status().json()

    assert rotated["key_id"] == made["key_id"]
    assert rotated["key"] != made["key"]
    assert http.post("/namespaces/list", headers=bearer(made["key"])).status_code == 401
    assert http.post("/namespaces/list", headers=bearer(rotated["key"])).status_code == 200


def test_an_expired_key_is_refused(http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("read", expires_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())

    until(
        lambda: http.post("/namespaces/list", headers=bearer(made["key"])).status_code == 401,
        what="the key has expired",
        within_s=5,
    )

    assert http.get(f"/organizations/api-keys/{made['key_id']}").json()["status"] == "expired"


@pytest.mark.parametrize(
    "fields",
    [
        {"permissions": ["dance"]},
        {"permissions": []},
        {"namespaces": []},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"scopes": []},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(http: httpx.Client, fields: dict[str, Any]) -> None:
    refused = http.post("/organizations/api-keys", json={"name": unique("key"), "permissions": ["read"], **fields})

    assert refused.status_code == 422
    assert refused.json()["error"]["type"] == "ValidationError"


def test_a_name_in_use_a_missing_key_and_a_missing_namespace_say_so(http: httpx.Client, make_key: MakeKey) -> None:
    made = make_key("read")

    again = http.post("/organizations/api-keys", json={"name": made["name"], "permissions": ["read"]})
    absent = http.delete("/organizations/api-keys/nobody")
    nowhere = http.post(
        "/organizations/api-keys", json={"name": unique("key"), "permissions": ["read"], "namespaces": ["nowhere"]}
    )

    assert [answer.status_code for answer in (again, absent, nowhere)] == [409, 404, 404]


def test_a_scoped_key_lists_its_namespaces_only_and_an_admin_one_manages_nothing(
    http: httpx.Client, client: Mixpeek, make_key: MakeKey
) -> None:
    scoped = bearer(make_key("admin", namespaces=[client.namespace])["key"])

    seen = http.post("/namespaces/list", headers=scoped).json()["results"]
    making = http.post("/namespaces", headers=scoped, json={"namespace_name": unique("more")})
    escaping = http.post("/organizations/api-keys", headers=scoped, json={"name": "all", "permissions": ["admin"]})

    assert [namespace["namespace_id"] for namespace in seen] == [client.namespace]
    assert (making.status_code, escaping.status_code) == (403, 403)


# every route ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Walk:
    """How to call every route on things of one namespace; `told` are words that only that namespace's keys may read."""

    http: httpx.Client
    namespace_name: str
    params: dict[str, str]
    told: tuple[str, ...]

    def send(self, route: str, key: str | None, *, namespace: str | None = None) -> httpx.Response:
        """Call a route; `namespace` takes the place of the walked one in the path and in the header."""
        params = {**self.params, "namespace_id": namespace or self.params["namespace_id"]}
        method, path = route.split(" ")
        path = re.sub(r"\{(\w+)\}", lambda found: params.get(found[1], "absent"), path)
        headers = {**bearer(key), "X-Namespace": params["namespace_id"]}
        body = {} if method in ("POST", "PUT", "PATCH") else None
        return self.http.request(method, path, headers=headers, json=body)


def routes() -> dict[str, str | None]:
    """Return every route of the application with the permission it demands."""
    found = {}
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods):
                found[f"{method} {route.path}"] = permission_of(route.dependant)
                # The nested spelling is no route of its own; it must not be a way around one either.
                if route.path.startswith(tuple(f"/v1/{name}" for name in NESTED)):
                    nested = route.path.replace("/v1/", "/v1/namespaces/{namespace_id}/", 1)
                    found[f"{method} {nested}"] = permission_of(route.dependant)
    return found


ROUTES = routes()


@pytest.fixture(scope="module")
def walk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with server.client() as client, httpx.Client(base_url=server.url, timeout=60) as http:
        plugin = write_plugin(tmp_path_factory.mktemp("walk") / "walked_words")
        plugin_id = publish(client, plugin)
        bucket_id = bucket_with(client, ["walked text"])
        object_id = client.objects.list(bucket_id)["results"][0]["object_id"]
        collection = collection_of(client, bucket_id, "walked_words")
        task_id = client.collections.trigger(collection.collection_id).task_id
        client.tasks.wait(task_id, timeout_s=90)
        document_id = client.documents.list(collection.collection_id)["results"][0]["document_id"]
        retriever_id = retriever_over(client, collection)
        batch_id = client.tasks.get(task_id)["inputs"][0]["batch_id"]
        params = {
            "namespace_id": cast(str, client.namespace),
            "plugin_id": plugin_id,
            "slug": "walked_words",
            "bucket_identifier": bucket_id,
            "object_id": object_id,
            "collection_identifier": collection.collection_id,
            "document_id": document_id,
            "retriever_identifier": retriever_id,
            "task_id": task_id,
            "batch_id": batch_id,
        }
        name = client.namespaces.get(params["namespace_id"])["namespace_name"]
        told = tuple(word for word in (*params.values(), name, "walked text") if word != params["slug"])
        yield Walk(http, name, params, told)


def test_every_route_but_the_public_ones_demands_a_key() -> None:
    assert {route for route, permission in ROUTES.items() if permission is None} == PUBLIC
    assert len(ROUTES) > 40


@pytest.mark.parametrize("key", ["none", "unknown", "revoked"])
def test_every_route_refuses_who_has_no_key(walk: Walk, http: httpx.Client, key: str) -> None:
    revoked = http.post("/organizations/api-keys", json={"name": unique("key"), "permissions": ["admin"]}).json()
    http.delete(f"/organizations/api-keys/{revoked['key_id']}").raise_for_status()
    sent = {"none": None, "unknown": "sk_unknown", "revoked": revoked["key"]}[key]

    answers = {route: walk.send(route, sent) for route in ROUTES.keys() - PUBLIC}

    wrong = {route: answer.status_code for route, answer in answers.items() if answer.status_code != 401}
    assert not wrong
    assert {answer.json()["error"]["type"] for answer in answers.values()} == {"UnauthorizedError"}


@pytest.mark.parametrize("held", ["read", "write", "delete"])
def test_every_route_refuses_a_key_with_less_than_it_demands(walk: Walk, make_key: MakeKey, held: str) -> None:
    order = ("read", "write", "delete", "admin")
    beyond = [route for route, needed in ROUTES.items() if needed and order.index(needed) > order.index(held)]
    key = make_key(held)["key"]

    answers = {route: walk.send(route, key) for route in beyond}

    assert beyond
    assert not {route: answer.text for route, answer in answers.items() if answer.status_code != 403}


def test_every_route_tells_a_key_of_another_namespace_no_more_than_of_one_that_does_not_exist(
    walk: Walk, server: Server, make_key: MakeKey
) -> None:
    with server.client() as other:
        key = make_key("admin", namespaces=[other.namespace])["key"]
    own, absent = walk.params["namespace_id"], "ns_0000000000000000"

    wrong = {}
    for route in ROUTES.keys() - PUBLIC:
        answer, of_nothing = walk.send(route, key), walk.send(route, key, namespace=absent)
        if route in FOR_ANY_KEY:
            refused = not any(word in answer.text.replace(own, "") for word in walk.told)
        else:
            refused = answer.status_code in (403, 404) and said(answer, own) == said(of_nothing, absent)
        if not refused:
            wrong[route] = answer.text

    assert not wrong


def said(answer: httpx.Response, namespace: str) -> tuple[int, str]:
    """Return what an answer says, whichever the namespace and the request are."""
    text = answer.text.replace(namespace, "NAMESPACE")
    return answer.status_code, re.sub(r"req_\w+", "REQUEST", text)


def test_a_namespace_is_also_hidden_by_its_name(walk: Walk, server: Server, make_key: MakeKey) -> None:
    with server.client() as other:
        key = make_key("admin", namespaces=[other.namespace])["key"]

    by_name = walk.send("GET /v1/namespaces/{namespace_id}", key, namespace=walk.namespace_name)
    by_header = walk.send("POST /v1/buckets/list", key, namespace=walk.namespace_name)
    tasks = walk.send("POST /v1/tasks/list", key, namespace=walk.namespace_name)

    assert [answer.status_code for answer in (by_name, by_header, tasks)] == [404, 404, 404]


def test_a_key_of_the_namespace_reads_all_of_it(walk: Walk, make_key: MakeKey) -> None:
    key = make_key("read", namespaces=[walk.params["namespace_id"]])["key"]
    reading = [route for route, needed in ROUTES.items() if needed == "read" and route.startswith("GET")]

    answers = {route: walk.send(route, key) for route in reading}

    assert not {route: answer.text for route, answer in answers.items() if answer.status_code in (401, 403)}
    assert answers["GET /v1/tasks/{task_id}"].status_code == 200


# limits --------------------------------------------------------------------------------------------------------------


def test_limits_that_are_set_are_kept(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(max_plugins_per_namespace="1", rate_limit_per_minute="60", rate_limit_burst="100").start()
    with server.client() as client, httpx.Client(base_url=f"{server.url}/v1", timeout=60) as http:
        publish(client, write_plugin(tmp_path / "first_words"))
        place = http.post(
            f"/namespaces/{client.namespace}/plugins/uploads", headers=bearer(API_KEY), json={"name": "second_words"}
        )
        key = http.post(
            "/organizations/api-keys", headers=bearer(API_KEY), json={"name": "fast", "permissions": ["read"]}
        ).json()["key"]

        answers = []
        while not answers or (answers[-1].status_code == 200 and len(answers) < 2000):
            answers.append(http.post("/namespaces/list", headers=bearer(key)))
        inference = http.post("/inference", headers=bearer(key), json={})
        others = http.post("/namespaces/list", headers=bearer(API_KEY))

    assert place.status_code == 403
    assert place.json()["error"]["type"] == "QuotaExceededError"
    assert place.json()["error"]["details"]["limit"] == 1
    assert len(answers) > 100, "so many at once, and one more each second"
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["error"]["type"] == "TooManyRequestsError"
    assert refused.json()["error"]["details"]["request_id"] == refused.headers["X-Request-Id"]
    assert int(refused.headers["Retry-After"]) >= 1
    assert answers[0].headers["X-RateLimit-Limit"] == "60"
    assert inference.status_code == 429
    assert int(inference.headers["Retry-After"]) >= 1
    assert others.status_code == 200


# the server's machine ------------------------------------------------------------------------------------------------


def test_keys_are_managed_on_the_servers_machine_whether_it_runs_or_not(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server().start()

    def keys(*arguments: str) -> Any:
        ran = run_command("keys", *arguments, "--data-dir", server.data_dir, "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        return ran.json

    def status(key: str) -> int:
        return httpx.post(f"{server.url}/v1/namespaces/list", headers=bearer(key), timeout=30, verify=False).status_code

    running = keys("create", "ci", "--permission", "read")
    assert status(running["key"]) == 200
    keys("revoke", "ci")
    until(lambda: status(running["key"]) == 401, what="the revoked key is refused", within_s=2)

    assert server.stop() == 0
    stopped = keys("create", "later", "--expires", "2100-01-01")
    reset = keys("reset")
    assert server.postmaster_pid() is None
    server.start()

    assert (server.data_dir / "admin.key").read_text().strip() == reset["key"]
    assert [status(key) for key in (stopped["key"], reset["key"], API_KEY)] == [200, 200, 401]
    listed = {key["name"]: key for key in keys("list")["results"] if key["status"] == "active"}
    assert set(listed) == {"later", "admin"}
    assert listed["later"]["expires_at"] == "2100-01-01T00:00:00Z"
    events = httpx.get(
        f"{server.url}/v1/organizations/audit/logs",
        headers=bearer(reset["key"]),
        params={"resource_type": "api_key", "action": "create", "actor_id": "operator"},
        timeout=30,
    ).json()["results"]
    assert [event["resource_id"] for event in events] == [reset["key_id"], stopped["key_id"], running["key_id"]]


def test_a_data_dir_without_a_server_and_a_wrong_key_say_what_to_do(server: Server, tmp_path: Path) -> None:
    nowhere = run_command("keys", "list", "--data-dir", tmp_path / "nowhere", cwd=tmp_path)
    nobody = run_command("keys", "revoke", "nobody", "--data-dir", server.data_dir, cwd=tmp_path)
    listed = run_command("keys", "list", "--data-dir", server.data_dir, cwd=tmp_path)

    assert nowhere.code == 1
    assert "--data-dir" in nowhere.err
    assert not (tmp_path / "nowhere").exists()
    assert nobody.code == 1
    assert "nobody" in nobody.err
    assert listed.code == 0
    assert "admin" in listed.out
