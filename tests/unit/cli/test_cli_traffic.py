"""`mixpeek plugin deploy --traffic`, `deployment`, `promote` and `undeploy`: what they send and what they print."""

from __future__ import annotations

from typing import Any

import pytest

from factories.commands import Command
from factories.local_server import LocalServer

PLUGINS = "/v1/namespaces/demo/plugins"
STATUS = {"plugin_id": "words_1_1_0", "status": "DEPLOYED", "message": "Ready", "error": None}
VERSIONS = [
    {**STATUS, "plugin_id": "words_1_0_0", "role": "stable", "traffic": 100, "since": "2026-01-02T03:04:05.6Z"},
    {**STATUS, "role": "shadow", "traffic": 0, "since": "2026-01-02T03:05:06.7Z"},
    {
        "plugin_id": "words_1_2_0",
        "role": None,
        "traffic": 0,
        "since": None,
        "status": "FAILED",
        "phase": "gate",
        "error": "ValueError: no\x1b[31m",
    },
]
SHADOW: dict[str, Any] = {
    "plugin_id": "words_1_1_0",
    "compared_with": "words_1_0_0",
    "updated_at": "2026-01-02T03:06:00Z",
    "mirrored": 203,
    "compared": 200,
    "alike": 150,
    "dropped": 7,
    "too_large": 0,
    "errors": {"stable": 1, "shadow": 3, "both": 1},
    "shadow_error_codes": {"plugin.raised": 3},
    "last_shadow_error": "ValueError: not this",
    "features": [
        {
            "feature": "vector",
            "compared": 200,
            "min": 0.25,
            "p1": 0.5,
            "p5": 0.75,
            "p50": 0.999999,
            "mean": 0.9,
            "unlike": 0,
        }
    ],
    "keys": [{"key": "label", "changed": 50, "missing": 0, "added": 2}],
    "further_keys": 4,
    "latency": {
        "stable": {"p50": 1.5, "p95": 3.0},
        "shadow": {"p50": 3.0, "p95": None},
        "ratio": {"p50": 2.0, "p95": None},
    },
}


@pytest.fixture
def where(server: LocalServer) -> tuple[str, ...]:
    return ("--namespace", "demo", "--base-url", server.url)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ((), {}),
        (("--traffic", "10"), {"traffic": "10"}),
        (("--shadow",), {"shadow": "true"}),
    ],
)
def test_a_deploy_asks_for_a_share_of_the_requests(
    mix: Command, server: LocalServer, where: tuple[str, ...], options: tuple[str, ...], query: dict[str, str]
) -> None:
    server.on(f"POST {PLUGINS}/words_1_1_0/deploy", {"status": "queued"})
    server.on(f"GET {PLUGINS}/words_1_1_0/status", STATUS)

    ran = mix("plugin", "deploy", "words_1_1_0", *options, *where)

    assert (ran.code, ran.out) == (0, "words_1_1_0 DEPLOYED\n")
    assert server.asked[0].query == query


def test_a_share_of_nothing_is_a_wrong_call(mix: Command, where: tuple[str, ...]) -> None:
    assert mix("plugin", "deploy", "words_1_1_0", "--traffic", "0", *where).code == 2


def test_the_shares_and_the_shadows_report_are_shown_as_tables(
    mix: Command, server: LocalServer, where: tuple[str, ...]
) -> None:
    server.on(f"GET {PLUGINS}/words_1_1_0/deployment", {"success": True, "versions": VERSIONS, "shadow": SHADOW})

    ran = mix("plugin", "deployment", "words_1_1_0", *where)
    as_json = mix("plugin", "deployment", "words_1_1_0", "--json", *where)

    assert ran.out.splitlines() == [
        "VERSION      ROLE    REQUESTS  STATUS    SINCE (UTC)",
        "words_1_0_0  stable  100 %     DEPLOYED  2026-01-02 03:04:05",
        "words_1_1_0  shadow  0 %       DEPLOYED  2026-01-02 03:05:06",
        "words_1_2_0  -       0 %       FAILED",
        "words_1_2_0 failed in phase gate:",
        "  ValueError: no\\x1b[31m",
        "",
        "words_1_1_0 beside words_1_0_0",
        "  mirrored   203",
        "  compared   200",
        "  alike      150 (75.0 %)",
        "  errors     1 stable, 3 shadow, 1 both",
        "  last error ValueError: not this",
        "  dropped    7",
        "",
        "COSINE OF  PAIRS  MIN      P1       P5       P50      MEAN     UNLIKE",
        "vector     200    0.25000  0.50000  0.75000  1.00000  0.90000  0",
        "",
        "KEY    CHANGED  MISSING  ADDED",
        "label  50       0        2",
        "… and 4 differences in other keys",
        "",
        "MILLISECONDS  STABLE  SHADOW  RATIO",
        "p50           1.5     3.0     2.0",
        "p95           3.0",
    ]
    assert as_json.json["shadow"] == SHADOW


def test_a_shadow_that_was_shown_nothing_says_so(mix: Command, server: LocalServer, where: tuple[str, ...]) -> None:
    shadow = {**SHADOW, "updated_at": None}
    server.on(f"GET {PLUGINS}/words_1_1_0/deployment", {"versions": VERSIONS[:2], "shadow": shadow})

    ran = mix("plugin", "deployment", "words_1_1_0", *where)

    assert ran.out.splitlines()[-1] == "No answer of words_1_1_0 was compared yet"


def test_a_promotion_says_what_it_ended(mix: Command, server: LocalServer, where: tuple[str, ...]) -> None:
    server.on(f"POST {PLUGINS}/words_1_1_0/promote", {**STATUS, "superseded": ["words_1_0_0"]})

    ran = mix("plugin", "promote", "words_1_1_0", "-m", "good", *where)

    assert (ran.code, ran.out) == (0, "words_1_1_0 answers all requests; words_1_0_0 ended\n")
    assert server.asked[0].json == {"message": "good"}


@pytest.mark.parametrize(("was_deployed", "said"), [(True, "no longer answers"), (False, "was not deployed")])
def test_an_undeploy_says_whether_there_was_anything_to_end(
    mix: Command, server: LocalServer, where: tuple[str, ...], was_deployed: bool, said: str
) -> None:
    server.on(f"POST {PLUGINS}/words_1_1_0/undeploy", {**STATUS, "was_deployed": was_deployed})

    assert mix("plugin", "undeploy", "words_1_1_0", *where).out == f"words_1_1_0 {said}\n"
