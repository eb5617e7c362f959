"""The commands that ask a server for something and print it."""

from __future__ import annotations

from factories.commands import Command
from factories.local_server import LocalServer


def test_a_new_namespace_is_printed_as_its_id_alone(mix: Command, server: LocalServer) -> None:
    server.on("POST /v1/namespaces", {"namespace_id": "ns_7", "namespace_name": "demo"})

    ran = mix("namespace", "create", "demo", "--base-url", server.url)

    assert (ran.code, ran.out) == (0, "ns_7\n")
    assert "export MIXPEEK_NAMESPACE=ns_7" in ran.err
    assert server.asked[0].json == {"namespace_name": "demo"}


def test_namespaces_are_listed_in_columns(mix: Command, server: LocalServer) -> None:
    rows = [
        {"namespace_id": "ns_1", "namespace_name": "one", "created_at": "2026-01-01"},
        {"namespace_id": "ns_22", "namespace_name": "a longer name", "created_at": "2026-01-02"},
    ]
    server.on("POST /v1/namespaces/list", {"results": rows})

    ran = mix("namespace", "list", "--base-url", server.url)

    assert ran.out.splitlines() == [
        "ID     NAME           CREATED",
        "ns_1   one            2026-01-01",
        "ns_22  a longer name  2026-01-02",
    ]


def test_an_empty_list_says_what_to_do(mix: Command, server: LocalServer) -> None:
    server.on("POST /v1/namespaces/list", {"results": []})

    ran = mix("namespace", "list", "--base-url", server.url)

    assert (ran.code, ran.out) == (0, "")
    assert "mixpeek namespace create" in ran.err


def test_plugins_are_listed_by_source(mix: Command, server: LocalServer) -> None:
    entry = {
        "name": "my_extractor",
        "version": "1.0.0",
        "source": "custom",
        "deployed": True,
        "feature_uri": "mixpeek://my_extractor@1.0.0/v",
    }
    server.on("GET /v1/namespaces/ns_1/extractors", {"results": [entry], "pagination": {}})

    ran = mix("plugin", "list", "--source", "custom", "-n", "ns_1", "--base-url", server.url)

    assert server.asked[0].query == {"source": "custom"}
    assert ran.out.splitlines()[1].split() == [
        "my_extractor",
        "1.0.0",
        "custom",
        "DEPLOYED",
        "mixpeek://my_extractor@1.0.0/v",
    ]


def test_listing_plugins_without_a_namespace_is_a_wrong_call(mix: Command, server: LocalServer) -> None:
    ran = mix("plugin", "list", "--base-url", server.url)

    assert ran.code == 2
    assert "MIXPEEK_NAMESPACE" in ran.err


def test_waiting_for_a_task_prints_each_status_once_and_ends_0_when_it_is_complete(
    mix: Command, server: LocalServer
) -> None:
    states = ["PENDING", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    server.on("GET /v1/tasks/task_1", *[{"task_id": "task_1", "status": state} for state in states])

    ran = mix("task", "wait", "task_1", "--base-url", server.url)

    assert (ran.code, ran.out) == (0, "task_1 COMPLETED\n")
    assert [line.split()[-1] for line in ran.err.splitlines()] == ["PENDING", "IN_PROGRESS", "COMPLETED"]


def test_tasks_are_listed_by_status_and_killed(mix: Command, server: LocalServer) -> None:
    task = {"task_id": "task_1", "task_type": "plugin_custom", "status": "FAILED", "created_at": "2026-01-02T03:04:05Z"}
    server.on("POST /v1/tasks/list", {"results": [task], "pagination": {"next_cursor": None}})
    server.on("DELETE /v1/tasks/task_1", {"success": True, "message": "The task had ended already"})

    listed = mix("task", "list", "--status", "failed", "--base-url", server.url)
    killed = mix("task", "kill", "task_1", "--base-url", server.url)

    assert listed.out.splitlines()[1].split() == ["task_1", "plugin_custom", "FAILED", "2026-01-02", "03:04:05"]
    assert server.asked[0].json == {"status": "FAILED"}
    assert killed.out == "task_1: The task had ended already\n"


def test_a_task_that_did_not_complete_ends_1_with_its_cause(mix: Command, server: LocalServer) -> None:
    server.on("GET /v1/tasks/task_1", {"status": "COMPLETED_WITH_ERRORS", "error": "3 rows were not stored"})

    ran = mix("task", "wait", "task_1", "--base-url", server.url)

    assert (ran.code, ran.out) == (1, "task_1 COMPLETED_WITH_ERRORS\n")
    assert "3 rows were not stored" in ran.err
