"""`mixpeek secret`: where a value may come from, and that it is never printed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from factories.commands import Command
from factories.local_server import LocalServer
from mixpeek.cli import secret

KEPT = {
    "success": True,
    "secret_name": "weather",
    "namespaces": None,
    "created_at": "2026-01-01",
    "updated_at": "2026-01-01",
    "value_set_at": "2026-01-02",
}
PATH = "/v1/organizations/secrets"


class Stdin(io.TextIOWrapper):
    """Standard input with these bytes; a terminal if told so."""

    def __init__(self, content: bytes, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def body(server: LocalServer) -> Any:
    [asked] = server.asked
    return asked.json


@pytest.mark.parametrize("content", [b"two\nlines\n", b"two\nlines\r\n", b"two\nlines"])
def test_a_value_comes_from_a_file_without_the_line_break_at_its_end(
    mix: Command, server: LocalServer, tmp_path: Path, content: bytes
) -> None:
    server.on(f"POST {PATH}", KEPT)
    (tmp_path / "value").write_bytes(content)

    ran = mix("secret", "create", "weather", "--from-file", tmp_path / "value", "--base-url", server.url)

    assert (ran.code, ran.out) == (0, "weather is kept; it can be read in every namespace\n")
    assert body(server) == {"secret_name": "weather", "secret_value": "two\nlines"}
    assert "two" not in ran.out + ran.err


def test_a_value_comes_from_stdin(mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on(f"PUT {PATH}/weather", KEPT)
    monkeypatch.setattr(sys, "stdin", Stdin("wörds\n".encode()))

    ran = mix("secret", "update", "weather", "--from-file", "-", "--base-url", server.url)

    assert ran.code == 0
    assert body(server) == {"secret_value": "wörds"}


def test_a_value_comes_from_a_variable(mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on(f"POST {PATH}", {**KEPT, "namespaces": ["ns_1"]})
    monkeypatch.setenv("WEATHER", "words")

    ran = mix(
        "secret", "create", "weather", "-n", "one", "-n", "two", "--from-env", "WEATHER", "--base-url", server.url
    )

    assert ran.out == "weather is kept; it can be read in ns_1\n"
    assert body(server) == {"secret_name": "weather", "secret_value": "words", "namespaces": ["one", "two"]}


def test_a_value_is_asked_for_without_being_shown(
    mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(f"POST {PATH}", KEPT)
    monkeypatch.setattr(sys, "stdin", Stdin(b"", is_terminal=True))
    asked: dict[str, Any] = {}

    def prompt(text: str, **options: Any) -> str:
        asked.update(options, text=text)
        return "words"

    monkeypatch.setattr(secret.typer, "prompt", prompt)

    ran = mix("secret", "create", "weather", "--ungranted", "--base-url", server.url)

    assert ran.code == 0
    assert asked["hide_input"]
    assert asked["err"]
    assert body(server) == {"secret_name": "weather", "secret_value": "words", "namespaces": []}


@pytest.mark.parametrize(
    "arguments",
    [
        ("hunter2",),
        ("hunter2", "more"),
        ("--value", "hunter2"),
        ("--value=hunter2",),
        ("--json", "hunter2"),
        ("--from-env", "HUNTER", "--from-file", "x"),
        ("--from-env", "ABSENT_VARIABLE"),
        ("--from-file", "no/such/file"),
        (),
    ],
)
@pytest.mark.parametrize("command", ["create", "update"])
def test_a_value_that_is_not_given_properly_is_a_wrong_call_and_not_printed(
    mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch, command: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b""))

    ran = mix("secret", command, "weather", "--base-url", server.url, *arguments)

    assert ran.code == 2
    assert "hunter2" not in ran.out + ran.err
    assert server.asked == []


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff"])
def test_a_value_that_is_empty_or_no_text_is_refused(
    mix: Command, server: LocalServer, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "value").write_bytes(content)

    ran = mix("secret", "create", "weather", "--from-file", tmp_path / "value", "--base-url", server.url)

    assert (ran.code, server.asked) == (2, [])


def test_a_variable_whose_bytes_are_no_text_is_refused(
    mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER", "words\udcff")

    ran = mix("secret", "create", "weather", "--from-env", "WEATHER", "--base-url", server.url)

    assert (ran.code, server.asked) == (2, [])
    assert "not text in UTF-8" in ran.err


def test_grants_name_no_namespace_together_with_some(mix: Command, server: LocalServer) -> None:
    ran = mix("secret", "create", "weather", "--ungranted", "-n", "one", "--from-env", "X", "--base-url", server.url)

    assert (ran.code, server.asked) == (2, [])


def test_grants_and_revocations_go_one_by_one(mix: Command, server: LocalServer) -> None:
    for verb in ("PUT", "DELETE"):
        for namespace in ("one", "two"):
            server.on(f"{verb} {PATH}/weather/namespaces/{namespace}", {**KEPT, "namespaces": []})

    granted = mix("secret", "grant", "weather", "one", "two", "--base-url", server.url)
    revoked = mix("secret", "revoke", "weather", "one", "two", "--base-url", server.url)

    assert (granted.code, revoked.code) == (0, 0)
    assert [(each.method, each.path.rpartition("/")[2]) for each in server.asked] == [
        ("PUT", "one"),
        ("PUT", "two"),
        ("DELETE", "one"),
        ("DELETE", "two"),
    ]


def test_lists_and_shows_print_names_and_readers(mix: Command, server: LocalServer) -> None:
    server.on(f"GET {PATH}", {"secrets": ["stripe", "weather"], "count": 2})
    server.on(f"GET {PATH}/weather", KEPT)

    listed = mix("secret", "list", "--base-url", server.url)
    shown = mix("secret", "show", "weather", "--base-url", server.url)

    assert listed.out.splitlines() == ["NAME", "stripe", "weather"]
    assert shown.out.splitlines()[1].split("  ")[:2] == ["weather", "every namespace"]
