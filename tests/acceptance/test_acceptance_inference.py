"""`POST /v1/inference` on a real server: what it answers, whom it refuses, and what a switch or a crash does to it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from factories.answers import refusal
from factories.commands import Command
from factories.platform import deployed, publish, unique
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek

ANSWERS = "return {{'embedding': embed(request['text']).tolist(), 'answered_by': '{version}'}}"


def ask(http: httpx.Client, name: str = "words", text: str = "hello", **body: Any) -> httpx.Response:
    return http.post("/inference", json={"inference_name": name, "inputs": {"text": text}, **body})


@pytest.fixture
def words(client: Mixpeek, make_plugin: MakePlugin) -> str:
    """A deployed version 1.0.0 of `words`."""
    return publish(client, make_plugin("words", predict=ANSWERS.format(version="1.0.0")), deploy=True)


def test_an_answer_names_the_version_and_code_that_gave_it(http: httpx.Client, client: Mixpeek, words: str) -> None:
    answer = ask(http)
    plugin = client.plugins.get(words).plugin

    body = answer.json()
    assert answer.status_code == 200
    assert {key: body[key] for key in body if key != "output"} == {
        "status": "success",
        "inference_name": "words_1_0_0",
        "feature_uri": plugin.feature_uri,
        "version": "1.0.0",
        "code_hash": plugin.code_hash,
    }
    assert len(body["output"]["embedding"]) == 8
    assert answer.headers["X-Plugin-Version"] == "1.0.0"
    assert answer.headers["X-Code-Hash"] == plugin.code_hash
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert answer.headers["Content-Type"] == "application/json"
    assert http.post("/inference", json={}, headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"


def test_a_plugin_is_asked_by_name_by_id_by_feature_and_below_its_namespace(
    http: httpx.Client, client: Mixpeek, words: str
) -> None:
    inputs = {"text": "hello"}
    uris = (
        "mixpeek://words",
        "mixpeek://words/words_vector",
        "mixpeek://words@1.0.0/words_vector",
        "mixpeek://words@v1",
    )

    answers = [
        ask(http, words),
        *(http.post("/inference", json={"feature_uri": uri, "inputs": inputs}) for uri in uris),
        http.post(f"/namespaces/{client.namespace}/inference", json={"inference_name": "words", "inputs": inputs}),
        httpx.post(
            f"{http.base_url}inference?namespace={client.namespace}",
            json={"inference_name": "words", "inputs": inputs},
            headers={"Authorization": f"Bearer {API_KEY}"},
        ),
    ]

    assert [answer.status_code for answer in answers] == [200] * 7
    assert {answer.json()["inference_name"] for answer in answers} == {"words_1_0_0"}
    assert {answer.json()["feature_uri"] for answer in answers} == {"mixpeek://words@1.0.0/words_vector"}


def test_what_cannot_be_asked_is_refused_in_words(
    http: httpx.Client, client: Mixpeek, words: str, make_plugin: Any
) -> None:
    publish(client, make_plugin("other_words"))
    good = {"inference_name": "words", "inputs": {"text": "hello"}}

    refusal(ask(http, "nothing_here"), 404, "NotFoundError")
    refusal(http.post("/inference", json={"feature_uri": "mixpeek://words@9.0.0", "inputs": {}}), 404, "NotFoundError")
    unknown_feature = http.post("/inference", json={"feature_uri": "mixpeek://words/other", "inputs": {}})
    assert "words_vector" in refusal(unknown_feature, 404, "NotFoundError")["hint"]
    assert "not deployed" in refusal(ask(http, "other_words"), 409, "ConflictError")["message"]
    assert "`inputs`" in refusal(http.post("/inference", json={**good, "input": {}}), 422, "ValidationError")["message"]
    for body in ([], {}, {**good, "inputs": "text"}, {**good, "feature_uri": "mixpeek://words"}, {"inputs": {}}):
        refusal(http.post("/inference", json=body), 422, "ValidationError")
    for raw in (b"", b"{", b'{"inference_name": "words", "inputs": {"text": NaN}}', b"\xff"):
        refusal(http.post("/inference", content=raw), 422, "ValidationError")
    assert "namespace" in refusal(http.post("/inference?namespaces=x", json=good), 422, "ValidationError")["hint"]
    refusal(http.post("/inference", json=good, headers={"X-Namespace": "nowhere"}), 404, "NotFoundError")
    refusal(http.post("/inference", json=good, headers={"X-Namespace": ""}), 422, "ValidationError")
    refusal(http.post("/inference", json=good, headers={"Authorization": ""}), 401, "UnauthorizedError")
    refusal(http.get("/inference"), 405, "MethodNotAllowedError")


def test_whatever_a_handler_does_the_error_has_its_name(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    predict = """
        if request["text"] == "raise":
            raise ValueError("not this text")
        if request["text"] == "nan":
            return {"embedding": [float("nan")] * 8}
        if request["text"] == "sleep":
            import time
            time.sleep(30)
        if request["text"] == "exit":
            import os
            os._exit(5)
        return {"embedding": embed(request["text"]).tolist()}
    """
    publish(client, make_plugin("words", predict=predict, manifest="serve_config = {'timeout_s': 3}"), deploy=True)

    raised = refusal(ask(http, text="raise"), 500, "FeatureExtractionError")
    invalid = refusal(ask(http, text="nan"), 500, "FeatureExtractionError")
    ended = refusal(ask(http, text="exit"), 500, "FeatureExtractionError")
    until(lambda: ask(http).status_code == 200, what="a replaced host answers")
    late = refusal(ask(http, text="sleep"), 500, "TimeoutError")

    assert (raised["code"], raised["message"]) == ("plugin.raised", "ValueError: not this text")
    assert [frame["file"] for frame in raised["details"]["frames"]] == ["realtime.py"]
    assert (invalid["code"], late["code"], ended["code"]) == (
        "plugin.reply_invalid",
        "plugin.timed_out",
        "plugin.crashed",
    )
    until(lambda: ask(http).status_code == 200, what="a replaced host answers")
    serving = http.get(f"/namespaces/{client.namespace}/plugins/words_1_0_0/status").json()["serving"]
    assert serving["replicas"] == 1
    assert serving["restarts"] >= 3
    assert serving["last_error"]


def test_numbers_and_text_come_back_exactly_as_the_handler_gave_them(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("echo", predict="return request", features=[]), deploy=True)
    odd: dict[str, Any] = {
        "big": 12345678901234567890123,
        "float": 0.1,
        "text": 'é "quoted" \u2028 \U0001f600',
        "deep": [[{"a": [None, True]}]],
    }

    answer = ask(http, "echo", inputs=odd, parameters={"k": 2**70})

    assert answer.json()["output"] == {"parameters": {"k": 2**70}, **odd}


def test_a_revoked_key_stops_working_within_a_second(http: httpx.Client, client: Mixpeek, words: str) -> None:
    made = http.post("/organizations/api-keys", json={"name": unique("key"), "permissions": ["read"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = {"inference_name": "words", "inputs": {"text": "hello"}}
    assert http.post("/inference", json=body, headers=headers).status_code == 200

    http.delete(f"/organizations/api-keys/{made['key_id']}").raise_for_status()
    revoked_at = time.monotonic()
    while (answer := http.post("/inference", json=body, headers=headers)).status_code == 200:
        assert time.monotonic() - revoked_at < 1

    refusal(answer, 401, "UnauthorizedError")


def test_a_flood_is_refused_with_503_and_when_to_come_back(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    slow = make_plugin(
        "words",
        predict="import time; time.sleep(0.2); return {'embedding': embed(request['text']).tolist()}",
        manifest="serve_config = {'max_queued_requests': 3}",
    )
    publish(client, slow, deploy=True)
    answers: list[httpx.Response] = []

    def one() -> None:
        answers.append(ask(http))

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= 5, "one runs, one is next, three wait"
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refusal(refused, 503, "InferenceServiceUnavailableError")["code"] == "inference.unavailable"
    assert 1 <= int(refused.headers["Retry-After"]) <= 30


@dataclass
class Load:
    """What constant load met: answers by status, and those whose parts disagree about who answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            self.wrong.append(answer.text)
            return
        body = answer.json()
        self.versions.append(body["version"])
        told = {body["version"], body["output"]["answered_by"], answer.headers["X-Plugin-Version"]}
        if len(told) != 1 or body["code_hash"] != answer.headers["X-Code-Hash"]:
            self.wrong.append(json.dumps(body))


@contextmanager
def constant_load(server: Server, namespace: str | None, *, threads: int = 4) -> Iterator[Load]:
    """Ask for `words` on and on from several connections until the block ends."""
    load, ended = Load(), threading.Event()

    def ask_on() -> None:
        headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": namespace or ""}
        with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=30) as http:
            while not ended.is_set():
                try:
                    load.note(ask(http))
                except httpx.TransportError as error:
                    load.broken.append(repr(error))

    asking = [threading.Thread(target=ask_on) for _ in range(threads)]
    for thread in asking:
        thread.start()
    try:
        until(lambda: load.versions, what="the load has begun")
        yield load
    finally:
        ended.set()
        for thread in asking:
            thread.join(30)


def replica_pids(server: Server, plugin: str) -> list[int]:
    """Return the hosts of a plugin under the API process: the outermost process of each."""
    api = psutil.Process(server.child_pid("api") or 0)
    return [child.pid for child in api.children() if plugin in " ".join(child.cmdline())]


def until_seen(load: Load, more: int, what: str, seen: Callable[[str], bool] = lambda _: True) -> None:
    """Wait until the load has met so many more answers of a kind."""
    start = len(load.versions)
    until(lambda: sum(map(seen, load.versions[start:])) >= more, what=what)


def test_a_redeploy_and_a_killed_replica_fail_no_request(
    server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    name = "words"
    publish(client, make_plugin(name, predict=ANSWERS.format(version="1.0.0")), deploy=True)
    before = set(replica_pids(server, name))
    newer = make_plugin(name, into="v2", version="1.1.0", predict=ANSWERS.format(version="1.1.0"))
    publish(client, newer, version="1.1.0")

    with constant_load(server, client.namespace) as load:
        until_seen(load, 20, "1.0.0 answers")
        assert deployed(client, "words_1_1_0").status == "DEPLOYED"
        until_seen(load, 20, "1.1.0 answers", lambda version: version == "1.1.0")
        (pid,) = set(replica_pids(server, name)) - before
        psutil.Process(pid).kill()
        until_seen(load, 50, "a new replica answers")

    assert not load.wrong
    assert not load.broken
    assert set(load.statuses) == {200}
    assert set(load.versions) == {"1.0.0", "1.1.0"}
    serving = client.plugins.status("words_1_1_0")["serving"]
    assert (serving["replicas"], serving["restarts"]) == (1, 1)
    assert "SIGKILL" in serving["last_error"]


def test_the_sdk_and_the_command_ask_as_http_does(client: Mixpeek, mix: Command, words: str) -> None:
    answer = client.inference.ask("words", {"text": "hello"})
    by_feature = client.inference.ask(feature_uri=answer.feature_uri, inputs={"text": "hello"})
    ran = mix("infer", "words", '{"text": "hello"}')

    assert answer.version == "1.0.0"
    assert by_feature.output == answer.output == ran.json


def test_a_superseded_version_still_answers_to_its_id_while_its_name_is_live(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin, words: str
) -> None:
    newer = make_plugin("words", into="v2", version="1.1.0", predict=ANSWERS.format(version="1.1.0"))
    publish(client, newer, version="1.1.0", deploy=True)

    old, new = ask(http, words), ask(http)
    client.plugins.undeploy("words_1_1_0")
    until(lambda: ask(http).status_code == 409, what="the name no longer answers")

    assert (old.json()["version"], new.json()["version"]) == ("1.0.0", "1.1.0")
    refusal(ask(http, words), 409, "ConflictError")


def test_a_version_has_as_many_replicas_as_its_serve_config_says(
    server: Server, http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    before = set(replica_pids(server, "words"))
    two = "serve_config = {'num_replicas': 2}"
    publish(client, make_plugin("words", predict=ANSWERS.format(version="1.0.0"), manifest=two), deploy=True)

    started = set(replica_pids(server, "words")) - before
    serving = client.plugins.status("words_1_0_0")["serving"]

    assert len(started) == 2
    assert (serving["replicas"], serving["replicas_wanted"]) == (2, 2)
    assert ask(http).status_code == 200
