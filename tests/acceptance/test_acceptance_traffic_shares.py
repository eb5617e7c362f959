"""A canary gets its share of real requests and takes over; a shadow is shown them and told apart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.commands import Command
from factories.platform import deployed, publish
from factories.plugins import MakePlugin
from factories.waiting import until
from mixpeek import Mixpeek

ANSWERS = "return {{'embedding': embed(request['text']).tolist(), 'answered_by': '{version}'}}"

# Answers otherwise than 1.0.0: one key more, one text turned around, one refused.
NEWER = """
    if request['text'] == 'only stable':
        raise ValueError('not this text')
    vector = embed(request['text'])
    if request['text'] == 'turned':
        vector = -vector
    return {'embedding': vector.tolist(), 'answered_by': '1.1.0', 'further': 1}
"""


@pytest.fixture
def plugins(http: httpx.Client, client: Mixpeek) -> str:
    """The path of the plugins of this test's namespace."""
    return f"/namespaces/{client.namespace}/plugins"


def ask(http: httpx.Client, name: str = "words", text: str = "hello") -> httpx.Response:
    return http.post("/inference", json={"inference_name": name, "inputs": {"text": text}})


def versions_of(http: httpx.Client, requests: int) -> Counter[str]:
    """Return how often which version answered for the name."""
    seen: Counter[str] = Counter()
    for _ in range(requests):
        body = ask(http).json()
        assert body["version"] == body["output"]["answered_by"]
        seen[body["version"]] += 1
    return seen


def shares(client: Mixpeek, plugin_id: str) -> list[tuple[str, str | None, int, str]]:
    found = client.plugins.deployment(plugin_id)["versions"]
    return [(each["version"], each["role"], each["traffic"], each["status"]) for each in found]


def test_a_version_is_tried_as_a_shadow_then_as_a_canary_and_promoted(
    http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin, plugins: str, mix: Command
) -> None:
    publish(client, make_plugin("words", predict=ANSWERS.format(version="1.0.0")))
    newer = make_plugin("words", into="v2", version="1.1.0", predict=NEWER)
    publish(client, newer, version="1.1.0")
    nothing_live = refusal(http.post(f"{plugins}/words_1_1_0/deploy?traffic=25"), 409, "ConflictError")
    assert nothing_live["message"] == "Nothing of words is live, so there are no requests to share"
    deployed(client, "words_1_0_0")
    client.plugins.deploy("words_1_1_0", shadow=True, message="look at it")
    assert client.plugins.wait("words_1_1_0", timeout_s=60, poll_s=0.1).status == "DEPLOYED"

    check_shadow(http, client, mix)
    changed = client.plugins.deploy("words_1_1_0", traffic=25)
    until(lambda: "1.1.0" in versions_of(http, 20), what="the canary answers")
    check_canary(http, client, plugins)
    promoted = mix("plugin", "promote", "words_1_1_0", "-m", "good")
    until(lambda: set(versions_of(http, 30)) == {"1.1.0"}, what="1.1.0 alone answers")

    assert (changed.status, changed.deployment_status) == ("changed", "DEPLOYED")
    assert promoted.out == "words_1_1_0 answers all requests; words_1_0_0 ended\n", promoted.err
    assert shares(client, "words_1_1_0") == [("1.1.0", "stable", 100, "DEPLOYED")]
    assert client.plugins.status("words_1_0_0").status == "NOT_DEPLOYED"
    assert client.plugins.get("words_1_1_0").plugin.active is True
    done = client.plugins.versions("words")["versions"][0]["deployments"]
    assert [(each["action"], each["status"], each["message"], each["actor"]) for each in done] == [
        ("promote", "deployed", "good", "admin"),
        ("deploy", "canary", None, "admin"),
        ("deploy", "shadow", "look at it", "admin"),
    ]
    details = [entry.get("detail") for entry in client.plugins.status("words_1_1_0")["timeline"]][-2:]
    assert details == [
        "with 25 % of the requests; was as a shadow",
        "promoted to all requests; was with 25 % of the requests",
    ]


def check_shadow(http: httpx.Client, client: Mixpeek, mix: Command) -> None:
    """Ask what 1.0.0 answers and 1.1.0, its shadow, answers differently, and read the report."""

    def report() -> Any:
        return client.plugins.deployment("words_1_1_0")["shadow"]

    until(lambda: (ask(http), report()["mirrored"])[1], what="requests are mirrored")
    # No more than a shadow is sent at a time, so that none is dropped however slow it is just now.
    answers = [ask(http, text=text) for text in ["turned"] * 5 + ["only stable"] * 3]
    until(lambda: report()["errors"]["shadow"] == 3, what="what the shadow raised is counted")
    found = report()
    shown = mix("plugin", "deployment", "words_1_1_0")

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers} == {"1.0.0"}
    assert (found["plugin_id"], found["compared_with"]) == ("words_1_1_0", "words_1_0_0")
    assert found["errors"] == {"stable": 0, "shadow": 3, "both": 0}
    assert found["shadow_error_codes"] == {"plugin.raised": 3}
    assert found["last_shadow_error"] == "ValueError: not this text"
    every = found["compared"]
    assert every == found["mirrored"] - 3
    assert found["alike"] == 0
    (feature,) = found["features"]
    assert (feature["feature"], feature["compared"], feature["unlike"]) == ("words_vector", every, 0)
    assert (feature["min"], feature["p1"]) == (pytest.approx(-1), pytest.approx(-1))
    assert found["keys"] == [
        {"key": "answered_by", "changed": every, "missing": 0, "added": 0},
        {"key": "further", "changed": 0, "missing": 0, "added": every},
    ]
    assert found["latency"]["ratio"]["p50"] > 0
    assert "words_1_1_0 beside words_1_0_0" in shown.out
    assert ["further", "0", "0", str(every)] in [line.split() for line in shown.out.splitlines()]


def check_canary(http: httpx.Client, client: Mixpeek, plugins: str) -> None:
    """Count who answers while 1.1.0 has a quarter of the requests, and try what does not go then."""
    seen = versions_of(http, 400)
    itself = refusal(http.post(f"{plugins}/words_1_0_0/deploy?shadow=true"), 409, "ConflictError")
    stable = refusal(http.post(f"{plugins}/words_1_0_0/undeploy"), 409, "ConflictError")
    already = refusal(http.post(f"{plugins}/words_1_0_0/promote"), 409, "ConflictError")
    back = refusal(http.post(f"{plugins}/by-name/words/rollback", json={"version": "1.0.0"}), 409, "ConflictError")

    # Five standard deviations to either side of 100.
    assert 57 <= seen["1.1.0"] <= 143, seen
    assert sum(seen.values()) == 400
    for name, version in {"words_1_0_0": "1.0.0", "words_1_1_0": "1.1.0"}.items():
        assert {ask(http, name).json()["version"] for _ in range(20)} == {version}
    assert "25 %" in client.plugins.status("words_1_1_0").message
    assert client.plugins.get("words_1_0_0").plugin.active is True
    assert shares(client, "words_1_0_0") == [("1.0.0", "stable", 75, "DEPLOYED"), ("1.1.0", "canary", 25, "DEPLOYED")]
    assert "stable version" in itself["message"]
    assert "`mixpeek plugin promote words_1_1_0` or `mixpeek plugin undeploy words_1_1_0`" in stable["hint"]
    assert "undeploy" in already["hint"]
    assert "undeploy words_1_1_0" in back["hint"]


def test_what_contradicts_itself_is_refused_by_name(http: httpx.Client, client: Mixpeek, plugins: str) -> None:
    client.plugins.list()
    for query, name in {
        "traffic=0": "traffic",
        "traffic=10&shadow=true": "shadow",
        "traffic=10&deployment_type=batch_only": "traffic",
        "shadow=true&deployment_type=batch_only": "shadow",
    }.items():
        error = refusal(http.post(f"{plugins}/words_1_0_0/deploy?{query}"), 422, "ValidationError")
        assert error["details"]["parameter"] == name, error
    for query in ("traffic=101", "traffic=-1", "traffic=some", "shadow=perhaps"):
        refusal(http.post(f"{plugins}/words_1_0_0/deploy?{query}"), 422, "ValidationError")
