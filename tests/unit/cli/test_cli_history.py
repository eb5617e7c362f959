"""`mixpeek plugin log`, `status`, `diff`, `rollback` and `deploy` against a local server."""

from __future__ import annotations

from typing import Any

import pytest

from factories.commands import Command, Ran
from factories.local_server import LocalServer, refusal

BASE = "/v1/namespaces/ns_1/plugins"
NAMED = f"{BASE}/by-name/small_one"


def version(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "version": number,
        "plugin_id": f"small_one_{number.replace('.', '_')}",
        "message": None,
        "active": False,
        "author": "admin",
        "code_hash": "0123456789abcdef",
        "created_at": "2026-07-29T10:00:00.123Z",
        "deployment_status": "NOT_DEPLOYED",
        "deployed_at": None,
        "deployments": [],
        **fields,
    }


def done(action: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"action": action, "status": "deployed", "deployed_at": at, "actor": "ci", "message": None, **fields}


FIRST = version(
    "1.0.0",
    message="first",
    deployed_at="2026-07-29T10:01:00Z",
    deployments=[done("deploy", "2026-07-29T10:01:00Z")],
)
SECOND = version("1.0.1", message="never deployed")
THIRD = version(
    "1.0.2",
    message="third",
    active=True,
    deployment_status="DEPLOYED",
    deployed_at="2026-07-29T11:00:00Z",
    deployments=[
        done("deploy", "2026-07-29T11:00:00Z"),
        done("deploy", "2026-07-29T10:59:00Z", status="failed", error="realtime.py:3"),
    ],
)
HISTORY = {
    "success": True,
    "name": "small_one",
    "active_version": "1.0.2",
    "versions": [THIRD, SECOND, FIRST],
    "total": 3,
}

NO_CHANGE: dict[str, Any] = {
    "changed": [],
    "features": {"added": [], "removed": [], "changed": []},
    "dependencies": {"added": [], "removed": []},
    "schemas": {"input": False, "output": False, "parameters": False},
}
DIFF: dict[str, Any] = {
    "success": True,
    "name": "small_one",
    "v1": "1.0.0",
    "v2": "1.0.2",
    "files": [
        {
            "path": "core.py",
            "status": "modified",
            "added_lines": 1,
            "removed_lines": 1,
            "diff": "--- a/core.py\n+++ b/core.py\n@@ -1,2 +1,2 @@\n def f():\n-\treturn 1\n+\treturn 2\x1b[31m\n",
            "binary": False,
        },
        {"path": "w.bin", "status": "added", "added_lines": 0, "removed_lines": 0, "diff": "", "binary": True},
    ],
    "summary": {"added": 1, "removed": 0, "modified": 1, "unchanged": 3, "added_lines": 1, "removed_lines": 1},
    "manifest": {
        "changed": [{"field": "serve_config.num_replicas", "before": None, "after": 2}],
        "features": {
            "added": [{"feature_name": "v", "feature_type": "embedding", "embedding_dim": 8}],
            "removed": [{"feature_name": "label", "feature_type": "text"}],
            "changed": [{"feature_name": "w", "field": "distance_metric", "before": "cosine", "after": "dot"}],
        },
        "dependencies": {"added": ["rich>=14"], "removed": ["rich"]},
        "schemas": {"input": True, "output": False, "parameters": False},
    },
}


@pytest.fixture
def known(server: LocalServer) -> LocalServer:
    """A server with a plugin of three versions."""
    server.on(f"GET {NAMED}/versions", HISTORY)
    server.on(f"GET {NAMED}/diff", DIFF)
    return server


def run(mix: Command, server: LocalServer, *arguments: str) -> Ran:
    return mix("plugin", *arguments, "-n", "ns_1", "--base-url", server.url)


def test_log_is_a_table_of_versions_with_what_was_done_to_each(mix: Command, known: LocalServer) -> None:
    ran = run(mix, known, "log", "small_one")

    assert ran.code == 0
    assert ran.out == (
        "VERSION   WHEN (UTC)           WHO    STATUS        MESSAGE\n"
        "1.0.2 *   2026-07-29 10:00:00  admin  DEPLOYED      third\n"
        "  deploy  2026-07-29 11:00:00  ci     deployed\n"
        "  deploy  2026-07-29 10:59:00  ci     failed        realtime.py:3\n"
        "1.0.1     2026-07-29 10:00:00  admin  NOT_DEPLOYED  never deployed\n"
        "1.0.0     2026-07-29 10:00:00  admin  NOT_DEPLOYED  first\n"
        "  deploy  2026-07-29 10:01:00  ci     deployed\n"
    )


def test_log_can_be_cut_short_and_says_so(mix: Command, known: LocalServer) -> None:
    ran = run(mix, known, "log", "small_one", "--limit", "1")

    assert "1.0.1" not in ran.out
    assert "2 older" in ran.err


def test_status_names_the_active_version_and_a_newer_one(mix: Command, known: LocalServer) -> None:
    known.on(f"GET {NAMED}/versions", {**HISTORY, "versions": [version("1.1.0"), *HISTORY["versions"]]})  # type: ignore[misc]

    ran = run(mix, known, "status", "small_one")

    assert ran.out == (
        "small_one 1.0.2  DEPLOYED\n"
        "  id        small_one_1_0_2\n"
        "  since     2026-07-29 11:00:00 UTC\n"
        "  author    admin\n"
        "  message   third\n"
        "  code      0123456789ab\n"
        "  newest    1.1.0, NOT_DEPLOYED, not active\n"
        "  versions  4\n"
    )


def test_status_in_json_holds_both_entries(mix: Command, known: LocalServer) -> None:
    ran = run(mix, known, "status", "small_one", "--json")

    assert (ran.json["active"]["version"], ran.json["newest"]["version"], ran.json["total"]) == ("1.0.2", "1.0.2", 3)


def test_diff_prints_what_can_be_applied_then_words(mix: Command, known: LocalServer) -> None:
    ran = run(mix, known, "diff", "small_one", "v1", "1.0.2")

    assert known.asked[0].query == {"v1": "1.0.0", "v2": "1.0.2"}
    assert ran.out == (
        "--- a/core.py\n+++ b/core.py\n@@ -1,2 +1,2 @@\n def f():\n-\treturn 1\n+\treturn 2\\x1b[31m\n"
        "Binary files a/w.bin and b/w.bin differ\n"
        "small_one 1.0.0 -> 1.0.2\n"
        "  1 added, 1 modified, 3 unchanged; +1 -1 lines\n"
        "    modified  core.py  +1 -1\n"
        "    added     w.bin  binary\n"
        "  manifest:\n"
        "    serve_config.num_replicas: none -> 2\n"
        "    feature added: v (embedding, 8)\n"
        "    feature removed: label (text)\n"
        "    feature w: distance_metric 'cosine' -> 'dot'\n"
        "    dependency added: rich>=14\n"
        "    dependency removed: rich\n"
        "    schema changed: input\n"
    )


def test_a_terminal_gets_the_diff_in_colour(mix: Command, known: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    lines = run(mix, known, "diff", "small_one", "1.0.0", "1.0.2").out.splitlines()

    assert lines[0] == "\x1b[1m--- a/core.py\x1b[0m"
    assert lines[2].startswith("\x1b[36m@@")
    assert lines[4].startswith("\x1b[31m-")
    assert lines[5].startswith("\x1b[32m+")
    assert "\\x1b[31m" in lines[5]


def test_a_version_that_is_none_is_a_wrong_call(mix: Command, known: LocalServer) -> None:
    ran = run(mix, known, "diff", "small_one", "latest", "1.0.0")

    assert (ran.code, known.asked) == (2, [])
    assert "plugin log" in ran.err


@pytest.fixture
def reverting(known: LocalServer) -> LocalServer:
    known.on(
        f"POST {NAMED}/rollback",
        {"success": True, "name": "small_one", "version": "1.0.0", "deployment_status": "DEPLOYED", "warnings": ["w"]},
    )
    return known


def test_rollback_shows_what_changes_then_goes_back(mix: Command, reverting: LocalServer) -> None:
    ran = run(mix, reverting, "rollback", "small_one", "1.0.0", "-m", "too slow")

    assert (ran.code, ran.out) == (0, "small_one 1.0.0 is active, DEPLOYED\n")
    assert reverting.asked[1].query == {"v1": "1.0.2", "v2": "1.0.0"}
    assert reverting.asked[2].json == {"version": "1.0.0", "message": "too slow"}
    assert "  1 added, 1 modified, 3 unchanged; +1 -1 lines\n" in ran.err
    assert "warning: w" in ran.err


def test_rollback_without_a_version_goes_to_the_one_that_was_active_before(
    mix: Command, reverting: LocalServer
) -> None:
    ran = run(mix, reverting, "rollback", "small_one", "--json")

    assert reverting.asked[-1].json == {"version": "1.0.0"}
    assert ran.json["changes"]["summary"]["modified"] == 1


def test_rollback_goes_to_the_next_lower_version_where_none_was_deployed(mix: Command, reverting: LocalServer) -> None:
    versions = [version("1.0.2"), version("1.0.1", active=True), version("1.0.0")]
    reverting.on(f"GET {NAMED}/versions", {**HISTORY, "active_version": "1.0.1", "versions": versions})

    run(mix, reverting, "rollback", "small_one")

    assert reverting.asked[-1].json == {"version": "1.0.0"}


def test_rollback_of_the_only_version_changes_nothing(mix: Command, reverting: LocalServer) -> None:
    reverting.on(f"GET {NAMED}/versions", {**HISTORY, "versions": [THIRD]})

    ran = run(mix, reverting, "rollback", "small_one")

    assert (ran.code, ran.out) == (1, "")
    assert "no earlier version" in ran.err
    assert len(reverting.asked) == 1


def test_a_rollback_that_is_refused_says_why_and_exits_1(mix: Command, reverting: LocalServer) -> None:
    reverting.on(f"POST {NAMED}/rollback", refusal(409, "ConflictError", "small_one_1_0_0 did not pass: KeyError"))

    ran = run(mix, reverting, "rollback", "small_one", "1.0.0")

    assert (ran.code, ran.out) == (1, "")
    assert "did not pass: KeyError" in ran.err


@pytest.mark.parametrize("verb", [["log"], ["status"], ["diff", "1.0.0", "1.0.1"], ["rollback"]])
def test_a_plugin_that_is_not_there_exits_1(mix: Command, server: LocalServer, verb: list[str]) -> None:
    ran = run(mix, server, verb[0], "nothing", *verb[1:])

    assert (ran.code, ran.out) == (1, "")


def deploying(server: LocalServer, *states: dict[str, Any]) -> LocalServer:
    server.on(f"POST {BASE}/small_one_1_0_0/deploy", {"status": "queued"})
    server.on(f"GET {BASE}/small_one_1_0_0/status", *states)
    return server


def test_deploy_waits_until_the_version_answers(mix: Command, server: LocalServer) -> None:
    deploying(server, {"status": "QUEUED"}, {"status": "DEPLOYED"})

    ran = run(mix, server, "deploy", "small_one_1_0_0", "-m", "go")

    assert (ran.code, ran.out) == (0, "small_one_1_0_0 DEPLOYED\n")
    assert server.asked[0].json == {"message": "go"}


def test_deploy_without_waiting_asks_once(mix: Command, server: LocalServer) -> None:
    deploying(server, {"status": "QUEUED"})

    ran = run(mix, server, "deploy", "small_one_1_0_0", "--no-wait", "--json")

    assert (ran.code, ran.json["status"], len(server.asked)) == (0, "QUEUED", 2)


def test_deploy_for_batches_only_ends_well_without_a_deployment(mix: Command, server: LocalServer) -> None:
    deploying(server, {"status": "NOT_DEPLOYED", "message": "usable in batches"})

    ran = run(mix, server, "deploy", "small_one_1_0_0", "--batch-only")

    assert ran.code == 0
    assert server.asked[0].query == {"deployment_type": "batch_only"}
    assert "usable in batches" in ran.err


def test_a_deployment_that_fails_exits_1_with_its_cause(mix: Command, server: LocalServer) -> None:
    deploying(server, {"status": "FAILED", "error": "realtime.py:3 KeyError"})

    ran = run(mix, server, "deploy", "small_one_1_0_0", "--json")

    assert (ran.code, ran.json["success"], ran.json["error"]) == (1, False, "realtime.py:3 KeyError")


FAILURE = {
    "phase": "gate",
    "code": "plugin.raised",
    "message": "KeyError: 'text'",
    "hint": "Look twice",
    "frames": [{"file": "realtime.py", "line": 3, "function": "predict", "code": "return request['text']"}],
    "logs_url": "/v1/namespaces/ns_1/plugins/small_one_1_0_0/logs?deployment_id=dep_1",
}


def test_deploy_tells_each_phase_once_as_it_passes_then_what_failed_in_the_plugins_own_code(
    mix: Command, server: LocalServer
) -> None:
    building = {"phase": "building", "duration_s": 0.02, "detail": None}
    gate = {"phase": "gate", "duration_s": 1.5, "detail": "Asked with a made-up sentence"}
    now = {"phase": "gate", "duration_s": None}
    deploying(
        server,
        {"status": "PENDING", "phase": "building", "timeline": [{**building, "duration_s": None}]},
        {"status": "IN_PROGRESS", "phase": "gate", "timeline": [building, now]},
        {"status": "FAILED", "phase": "gate", "timeline": [building, gate, now], "failure": FAILURE, "warnings": ["w"]},
    )

    ran = run(mix, server, "deploy", "small_one_1_0_0")

    assert ran.code == 1
    assert ran.err.splitlines() == [
        "  Deploying small_one_1_0_0: PENDING, building",
        "  building    0.02 s",
        "  Deploying small_one_1_0_0: IN_PROGRESS, gate",
        "  gate        1.50 s  Asked with a made-up sentence",
        "  Deploying small_one_1_0_0: FAILED, gate",
        "✗ Deployed        FAILED",
        "  warning: w",
        "  in phase gate: KeyError: 'text'",
        "    realtime.py:3 in predict",
        "        return request['text']",
        "    Look twice",
        "    log: /v1/namespaces/ns_1/plugins/small_one_1_0_0/logs?deployment_id=dep_1",
    ]


def test_status_says_why_the_newest_version_is_not_deployed(mix: Command, server: LocalServer) -> None:
    entries = [version("1.0.1", deployment_status="FAILED"), THIRD]
    server.on(f"GET {NAMED}/versions", {**HISTORY, "versions": entries})
    server.on(f"GET {BASE}/small_one_1_0_1/status", {"status": "FAILED", "failure": FAILURE})

    ran = run(mix, server, "status", "small_one")

    assert ran.code == 0
    assert "The rollout of 1.0.1 failed\n  in phase gate: KeyError: 'text'\n    realtime.py:3 in predict" in ran.err
    assert run(mix, server, "status", "small_one", "--json").json["failure"] == FAILURE


@pytest.mark.parametrize("verb", [["log", "x"], ["push"], ["pull", "x"], ["deploy", "x"]])
def test_without_a_namespace_nothing_is_asked(mix: Command, server: LocalServer, verb: list[str]) -> None:
    ran = mix("plugin", *verb, "--base-url", server.url)

    assert (ran.code, server.asked) == (2, [])
    assert "--namespace" in ran.err
