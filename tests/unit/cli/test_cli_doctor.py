"""`mixpeek doctor`: each thing that is wrong on purpose is found, and the message says what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from factories.commands import Command
from factories.local_server import LocalServer


def found(document: dict[str, list[dict[str, str]]], name: str) -> list[dict[str, str]]:
    return [check for check in document["checks"] if check["name"] == name]


@pytest.fixture(autouse=True)
def _own_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIXPEEK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MIXPEEK_PORT", "0")


def test_a_machine_that_can_serve_has_nothing_to_repair_and_nothing_is_made(mix: Command, tmp_path: Path) -> None:
    ran = mix("doctor", "--json")

    assert (ran.code, ran.json["success"]) == (0, True), ran
    assert [found(ran.json, name)[0]["status"] for name in ("Python", "Sandbox", "Settings", "PostgreSQL")] == [
        "passed"
    ] * 4
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("variables", "name", "status", "told", "hint"),
    [
        ({"MIXPEEK_PROT": "1"}, "Settings", "warned", "did you mean MIXPEEK_PORT?", "unset"),
        ({"MIXPEEK_CHUNK_ROWS": "many"}, "Settings", "failed", "MIXPEEK_CHUNK_ROWS", "mixpeek config"),
        ({"MIXPEEK_EGRESS": "off", "MIXPEEK_EGRESS_ALLOW": "db:1"}, "Settings", "warned", "EGRESS_ALLOW", "Unset"),
        ({"MIXPEEK_LLM_MODEL": "m"}, "Settings", "warned", "without MIXPEEK_LLM_URL", "Set MIXPEEK_LLM_URL"),
        ({"MIXPEEK_SANDBOX": "off"}, "Sandbox", "warned", "MIXPEEK_SANDBOX=off", "Unset MIXPEEK_SANDBOX"),
        ({"MIXPEEK_WHEELHOUSE": "/nowhere"}, "Packages", "failed", "/nowhere is not a folder", "MIXPEEK_WHEELHOUSE"),
        (
            {"MIXPEEK_DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x"},
            "PostgreSQL",
            "failed",
            "no connection",
            "MIXPEEK_DATABASE_URL",
        ),
        ({"MIXPEEK_BASE_URL": "http://127.0.0.1:9"}, "Server", "failed", "http://127.0.0.1:9", "mixpeek serve"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    mix: Command,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    name: str,
    status: str,
    told: str,
    hint: str,
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)

    ran = mix("doctor", "--json")

    entry = next(check for check in found(ran.json, name) if told in check["detail"])
    assert entry["status"] == status
    assert hint in entry["hint"]
    assert ran.code == (status == "failed")
    assert "hidden" not in ran.out


def test_secrets_that_others_can_read_and_a_port_in_use_are_found(
    mix: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin.key").write_text("sk_x\n")
    (tmp_path / "data" / "admin.key").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("MIXPEEK_PORT", str(taken.getsockname()[1]))

        ran = mix("doctor")

    assert ran.code == 1
    assert f"Run `chmod 600 {tmp_path / 'data' / 'admin.key'}`" in ran.out
    assert "is in use" in ran.out
    assert ran.out.rstrip().endswith("1 to repair, 1 to know of")


def test_a_server_that_is_not_mixpeek_is_told_apart(
    mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXPEEK_BASE_URL", server.url)

    ran = mix("doctor", "--json")

    assert ran.code == 1
    assert any("not as Mixpeek does" in check["detail"] for check in found(ran.json, "Server")), ran.json
