"""Webhooks on a real server: what is acknowledged arrives, also where processes are killed on the way."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.commands import Command
from factories.platform import bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import MakePlugin
from factories.receiver import Receiver
from factories.servers import MakeServer, Server, surroundings
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client import ApiError

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "receive-webhooks.md"
HOOKS = "/organizations/webhooks"


def test_a_plugin_s_life_and_a_batch_arrive_signed(client: Mixpeek, make_plugin: MakePlugin) -> None:
    wanted = ["plugin.*", "deployment.*", "batch.*", "objects.created.batch", "collection.*", "task.completed"]
    with Receiver() as receiver:
        hook = client.webhooks.create(unique("hook"), receiver.url, wanted, namespaces=[client.namespace or ""])
        secret = hook["channels"][0]["configs"]["secret"]

        plugin_id = publish(client, make_plugin(unique("told")), deploy=True)
        collection = collection_of(
            client, bucket_with(client, ["one", "two", "three"]), plugin_id.removesuffix("_1_0_0")
        )
        task = run_batch(client, collection)
        until(lambda: receiver.of("batch.completed"), what="the end of the batch arrived")
        until(lambda: len(receiver.of("task.completed")) == 2, what="the end of both tasks arrived")
        client.webhooks.delete(hook.webhook_id)

    events = [each.verified(secret) for each in receiver.received]
    assert sorted(event["event_type"] for event in events) == [
        "batch.completed",
        "batch.submitted",
        "collection.created",
        "collection.documents.written",
        "deployment.deployed",
        "deployment.started",
        "objects.created.batch",
        "plugin.published",
        "task.completed",
        "task.completed",
    ]
    assert {event["namespace_id"] for event in events} == {client.namespace}
    by_type = {event["event_type"]: event for event in events}
    assert by_type["plugin.published"]["resource"] == {"type": "plugin", "id": plugin_id}
    assert by_type["deployment.deployed"]["data"]["outcome"] == "deployed"
    assert by_type["batch.completed"]["data"]["task_id"] == task.task_id
    assert by_type["objects.created.batch"]["data"]["count"] == 3
    unknown = {event["event_type"] for event in events if not event["request_id"]}
    # Chunks are stored by a thread of the worker that acts in nobody's name.
    assert unknown <= {"collection.documents.written"}


def test_the_command_makes_tries_lists_replays_and_deletes(mix: Command) -> None:
    name = unique("hook")

    def deliveries(state: str) -> Any:
        return mix("webhook", "deliveries", name, "--state", state, "--json").json["results"]

    is_up = threading.Event()
    with Receiver(lambda _, answer: answer(200 if is_up.is_set() else 503)) as receiver:
        made = mix("webhook", "create", name, receiver.url, "-e", "plugin.*", "-H", "X-Team: search")
        failed = mix("webhook", "test", name)
        is_up.set()  # not sooner: the command may look at a delivery after its second attempt only
        until(lambda: deliveries("delivered"), what="it was tried again")
        tried = mix("webhook", "test", name)
        listed = deliveries("delivered")
        replayed = mix("webhook", "replay", name, listed[0]["delivery_id"], "--json").json
        shown = mix("webhook", "show", name)
        every = mix("webhook", "list")
        deleted = mix("webhook", "delete", name)
        gone = mix("webhook", "show", name)

    secret = made.out.strip()
    assert (made.code, secret[:6], "keep it" in made.err) == (0, "whsec_", True)
    assert (failed.code, "did not take it: it answered 503; it is tried again" in failed.out) == (1, True)
    assert (tried.code, tried.out) == (0, f"{receiver.url} answered 200\n")
    assert [each["attempts"] > 1 for each in listed] == [False, True], "newest first"
    assert replayed["results"][0]["replay_of"] == listed[0]["delivery_id"]
    assert {each.verified(secret)["event_type"] for each in receiver.received} == {"webhook.ping"}
    assert receiver.received[0].headers["x-team"] == "search"
    assert re.search(rf"wh_[0-9a-f]{{16}}  {name}  yes +plugin\.\* +{receiver.url}  healthy", shown.out)
    assert name in every.out
    assert secret not in shown.out + every.out
    assert (deleted.code, gone.code) == (0, 1)
    assert f"No webhook '{name}' here" in gone.err


def test_a_webhook_is_changed_as_documented_and_keeps_what_is_not_shown(http: httpx.Client) -> None:
    configs = {"url": "http://127.0.0.1:9/a", "headers": {"Authorization": "Bearer x"}, "secret": "s" * 16}
    body = {"webhook_name": unique("hook"), "event_types": ["batch.*", "cluster.created"],
            "channels": [{"channel": "webhook", "configs": configs}], "is_active": True}  # fmt: skip
    made = http.post(f"{HOOKS}/", json=body)
    hook = made.json()
    one = f"{HOOKS}/{hook['webhook_id']}"

    # As the official SDK does: what was read, changed and sent back.
    echoed = {name: hook[name] for name in ("webhook_id", "webhook_name", "event_types", "created_at", "updated_at")}
    kept = {"url": configs["url"], "headers": hook["channels"][0]["configs"]["headers"], "timeout": 5}
    moved = {"url": "http://127.0.0.1:9/b"}
    echoed["channels"] = [{"channel": "webhook", "configs": each} for each in (kept, moved)]
    put = http.put(one, json=echoed)
    late = http.put(one, json=echoed)
    paused = http.patch(one, json={"is_active": False}).json()
    refused_test = http.post(f"{one}/test")
    unclear = http.post(f"{one}/rotate-secret")
    page = http.post(f"{HOOKS}/list", json={"event_type": "batch.failed", "is_active": False}).json()
    http.delete(one).raise_for_status()

    assert made.status_code == 201
    assert re.fullmatch("wh_[0-9a-f]{16}", hook["webhook_id"])
    assert hook["channels"][0]["configs"] == {
        "url": configs["url"], "headers": {"Authorization": "[hidden]"}, "payload_template": None, "timeout": 10.0,
        "secret": None,
    }  # fmt: skip
    assert hook["warnings"] == ["cluster.created: this server has no clusters, so it never happens"]
    assert put.status_code == 200, put.text
    first, second = put.json()["channels"]
    assert (first["endpoint_id"], first["configs"]["timeout"]) == (hook["channels"][0]["endpoint_id"], 5)
    assert first["configs"]["secret"] is None
    assert second["configs"]["secret"].startswith("whsec_")
    assert (late.status_code, "changed since it was read" in late.json()["error"]["message"]) == (409, True)
    assert (paused["is_active"], refused_test.status_code) == (False, 409)
    assert (unclear.status_code, unclear.json()["error"]["hint"]) == (422, "Send `endpoint_id`")
    assert hook["webhook_id"] in [each["webhook_id"] for each in page["results"]]
    assert page["total"] == len(page["results"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event_types": ["batch.complete"]}, "did you mean `batch.completed`?"),
        ({"channels": [{"channel": "slack", "configs": {"webhook_url": "https://x"}}]}, "the channel `slack`"),
        ({"channels": [{"channel": "webhook", "configs": {"url": "http://10.0.0.1/"}}]}, "refused: private address"),
        ({"channels": [{"channel": "webhook", "configs": {"url": "http://169.254.169.254/"}}]}, "link-local address"),
        ({"webhook_nam": "x"}, "did you mean `webhook_name`?"),
        ({"webhook_name": "nul\x00"}, "cannot be stored"),
    ],
)
def test_what_cannot_be_is_refused_with_the_repair(http: httpx.Client, change: dict[str, Any], words: str) -> None:
    body = {"webhook_name": "x", "event_types": ["*"],
            "channels": [{"channel": "webhook", "configs": {"url": "http://127.0.0.1:9/"}}]}  # fmt: skip

    answer = http.post(f"{HOOKS}/", json={**body, **change})

    assert answer.status_code == 422, answer.text
    assert words in answer.text


def test_only_admins_see_webhooks(server: Server, http: httpx.Client) -> None:
    made = http.post("/organizations/api-keys", json={"name": unique("key"), "permissions": ["write"]}).json()
    with Mixpeek(made["key"], server.url) as writer, pytest.raises(ApiError) as refused:
        writer.webhooks.list()
    http.delete(f"/organizations/api-keys/{made['key_id']}").raise_for_status()

    assert refused.value.status == 403


def test_what_was_acknowledged_arrives_whoever_is_killed(make_server: MakeServer) -> None:
    server = make_server(webhook_allow="127.0.0.1", webhook_retry_s="0.1").start()
    with (
        Receiver(lambda n, answer: answer.nothing() if n in (0, 2) else answer(200)) as receiver,
        server.client() as own,
    ):
        hook = own.webhooks.create("survivor", receiver.url, ["object.created"], timeout_s=30)
        secret = hook["channels"][0]["configs"]["secret"]

        bucket_with(own, ["one"])
        receiver.wait_for(1)
        os.kill(server.child_pid("worker") or 0, signal.SIGKILL)
        after_worker = receiver.wait_for(2)

        bucket_with(own, ["two"])
        receiver.wait_for(3)
        server.kill()
        server.start()
        after_all = receiver.wait_for(4)

        def arrived() -> bool:
            found = own.webhooks.deliveries("survivor")["results"]
            return [(each["state"], each["attempts"]) for each in found] == [("delivered", 2), ("delivered", 2)]

        until(arrived, what="both deliveries have arrived at the second attempt")
    assert server.stop() == 0

    assert after_worker[0].event_id == after_worker[1].event_id
    assert after_all[2].event_id == after_all[3].event_id != after_worker[0].event_id
    assert all(each.verified(secret) for each in after_all)


def test_the_receiver_of_the_guide_believes_the_server_and_nobody_else(mix: Command, tmp_path: Path) -> None:
    page = HOWTO.read_text(encoding="utf-8")
    receiver = re.search(r"^```python\n(.*?)^```\n", page, re.DOTALL | re.MULTILINE)
    command = re.search(r'\$\(mixpeek webhook create build-server "\$RECEIVER_URL" (.*)\)', page)
    assert receiver is not None
    assert command is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    options = command[1].replace("'", "").split()
    secret = mix("webhook", "create", "build-server", url, *options).out.strip()
    (tmp_path / "receiver.py").write_text(receiver[1])
    variables = surroundings(WEBHOOK_SECRET=secret, PORT=str(port))

    with subprocess.Popen(
        [sys.executable, "receiver.py"], cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        try:
            until(lambda: _listens(port), what="the receiver listens")
            forged = httpx.post(url, content=b"{}", headers={"Mixpeek-Signature": "t=1,v1=00"}, verify=False)
            tried = mix("webhook", "test", "build-server")
            assert running.stdout is not None
            line = running.stdout.readline().decode()
        finally:
            running.terminate()
            mix("webhook", "delete", "build-server")

    assert forged.status_code == 400
    assert tried.out == f"{url} answered 204\n"
    assert line.startswith("webhook.ping wh_")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
