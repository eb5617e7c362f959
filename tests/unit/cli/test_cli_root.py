"""The command line as a whole: version, help, usage errors, exit codes, one JSON document."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import mixpeek
from factories.commands import Command
from factories.local_server import Answer, LocalServer, refusal
from mixpeek.cli import app as root


def installed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("mixpeek")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_the_installed_command_prints_its_version() -> None:
    ran = installed("--version")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"mixpeek {mixpeek.__version__}\n", "")


def test_the_package_can_be_run_as_a_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mixpeek", "--version"], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ran.returncode, ran.stdout) == (0, f"mixpeek {mixpeek.__version__}\n")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (["plugin", "init"], ["--category", "--description", "--author", "--output", "-c", "-d", "-a", "-o"]),
        (["plugin", "test"], ["--path", "--sample-data", "--verbose", "-p", "-s", "-v"]),
        (
            ["plugin", "publish"],
            ["--path", "--namespace", "--dry-run", "--bump", "--batch-only", "--no-deploy", "--no-wait", "-n", "-m"],
        ),
        (["plugin", "publish"], ["--strict", "--no-tests", "--message", "--json"]),
        (["plugin", "push"], ["PATH", "--message", "-m", "--strict", "--json"]),
        (["plugin", "pull"], ["NAME", "-o", "--version", "--force", "--json"]),
        (["plugin", "status"], ["NAME", "--json"]),
        (["plugin", "log"], ["NAME", "--limit", "--json"]),
        (["plugin", "rollback"], ["NAME", "VERSION", "-m", "--json"]),
        (["plugin", "diff"], ["NAME", "V1", "V2", "--json"]),
        (
            ["plugin", "lint"],
            ["PATH", "--strict", "--run", "--fix", "--unsafe-fixes", "--diff", "--explain", "--format", "--json"],
        ),
        (["plugin", "deploy"], ["PLUGIN_ID", "--batch-only", "--no-wait", "--json"]),
        (["plugin", "list"], ["--namespace", "--source", "-n", "-s"]),
        (["namespace", "create"], ["--api-key", "--base-url"]),
        (["namespace", "list"], ["--api-key", "--base-url"]),
        (["task", "wait"], ["--timeout"]),
        (["secret", "create"], ["NAME", "--namespace", "--ungranted", "--from-file", "--from-env", "-n", "--json"]),
        (["secret", "update"], ["NAME", "--from-file", "--from-env", "--json"]),
        (["secret", "rotate-key"], ["--json"]),
        (["serve"], ["--host", "--port", "--data-dir"]),
    ],
)
def test_every_command_has_its_documented_options(mix: Command, command: list[str], options: list[str]) -> None:
    ran = mix(*command, "--help")

    assert ran.code == 0
    assert [option for option in options if option not in ran.out] == []


@pytest.mark.parametrize(
    "arguments", [["plugin", "init"], ["plugin", "nonsense"], ["plugin", "list", "--source", "x"], ["--nonsense"]]
)
def test_a_wrong_call_exits_2_and_says_where_to_look(mix: Command, arguments: list[str]) -> None:
    ran = mix(*arguments)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "--help` shows what it takes" in ran.err


def test_a_wrong_call_in_json_mode_prints_the_error_as_json_only(mix: Command) -> None:
    ran = mix("plugin", "init", "--json")

    assert (ran.code, ran.err) == (2, "")
    assert ran.json["error"]["type"] == "ValidationError"


def unused_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_server_that_does_not_answer_is_exit_code_3(mix: Command) -> None:
    url = unused_url()

    ran = mix("namespace", "list", "--base-url", url)

    assert (ran.code, ran.out) == (3, "")
    assert f"error: No server answers at {url}" in ran.err
    assert "mixpeek serve" in ran.err


def test_a_refusal_of_the_server_is_exit_code_1_with_its_words(mix: Command, server: LocalServer) -> None:
    answer = refusal(401, "UnauthorizedError", "The key is not valid")
    server.on("POST /v1/namespaces/list", Answer(answer.body, 401, {"X-Request-Id": "req_9"}))

    ran = mix("namespace", "list", "--base-url", server.url)

    assert (ran.code, ran.out) == (1, "")
    assert "error: The key is not valid" in ran.err
    assert "MIXPEEK_API_KEY" in ran.err
    assert "request req_9" in ran.err


@pytest.mark.parametrize("before", [True, False])
def test_connection_options_count_before_and_after_the_command(mix: Command, server: LocalServer, before: bool) -> None:
    server.on("POST /v1/namespaces/list", {"results": [], "pagination": {}})
    options = ["--api-key", "sk_given", "--base-url", server.url, "--json"]

    ran = mix(*options, "namespace", "list") if before else mix("namespace", "list", *options)

    assert (ran.code, ran.json) == (0, {"results": [], "pagination": {}})
    assert server.asked[0].headers["authorization"] == "Bearer sk_given"


def test_an_option_after_the_command_beats_one_before_it_and_both_beat_the_environment(
    mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXPEEK_API_KEY", "sk_variable")
    monkeypatch.setenv("MIXPEEK_BASE_URL", unused_url())
    server.on("POST /v1/namespaces/list", {"results": []})

    mix("--api-key", "sk_before", "--base-url", server.url, "namespace", "list", "--api-key", "sk_after")
    mix("--api-key", "sk_before", "--base-url", server.url, "namespace", "list")

    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer sk_after", "Bearer sk_before"]


def test_text_of_a_server_cannot_steer_the_terminal(mix: Command, server: LocalServer) -> None:
    server.on("POST /v1/namespaces/list", refusal(400, "BadRequestError", "red \x1b[31m [bold]text[/bold]"))

    ran = mix("namespace", "list", "--base-url", server.url)

    assert "\x1b" not in ran.err
    assert "\\x1b[31m [bold]text[/bold]" in ran.err


def test_a_terminal_gets_colour_unless_it_asks_for_none(
    mix: Command, monkeypatch: pytest.MonkeyPatch, server: LocalServer
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    server.on("POST /v1/namespaces/list", refusal(400, "BadRequestError", "No"))
    monkeypatch.delenv("NO_COLOR", raising=False)

    coloured = mix("namespace", "list", "--base-url", server.url)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = mix("namespace", "list", "--base-url", server.url)

    assert "\x1b[1;31m" in coloured.err
    assert "31m" not in plain.err


def test_a_fault_of_the_program_itself_is_shown_whole_and_exits_1(
    mix: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("a fault")

    monkeypatch.setattr(root.typer.main, "get_command", broken)

    ran = mix("namespace", "list")

    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "error: RuntimeError: a fault" in ran.err
