"""One report everywhere: the author's commands and the server's confirm find the same, and print it harmlessly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from factories.answers import refusal
from factories.commands import Command
from factories.plugins import MakePlugin, zip_of
from mixpeek import Mixpeek

Finding = dict[str, Any]

# Steers a terminal, runs right to left, or is markup to the library that colours the command's output.
NASTY = "[red]\x1b[2J\x1b]0;title\x07\u202eevil[/red]\x9b31m"
WRONG_MANIFEST = """
metadata = {"feature_extractor_name": "text_embed", "version": "2.0.0", "category": "texts", "naem": 1}
features = [
    {"name": "words_vector", "type": "embedding", "dimensions": 8, "distance": "cosine"},
    {"feature_name": "other", "feature_type": "embedding", "embedding_dim": True},
]
dependencies = ["tokenizers @ https://packages.example/t.whl", "-r requirements.txt", "numpy", "numpy"]
input_schema = {"type": "object", "properties": {"a": {"type": "str"}, "b": {"$ref": "https://schemas.example/b"}}}
"""
# Put together here, so that no tool that reads this file takes it for the thing itself.
KEY = "sk_" + "live_51Hq8ZxR2eZvKYlo2C0aBcDe"
BROKEN: dict[str, dict[str, str | None]] = {
    "manifest and realtime": {"manifest.py": WRONG_MANIFEST, "realtime.py": "x = 1\nraise RuntimeError('no')\n"},
    "forbidden code": {
        "manifest.py": WRONG_MANIFEST,
        "helpers.py": f"import subprocess\n\nKEY = '{KEY}'\n",
        "json.py": "x = 1\n",
    },
    "structure": {"pipeline.py": None, "manifest.py": WRONG_MANIFEST, "shared/tools.py": "x = 1\n"},
    "hostile text": {
        "manifest.py": f"metadata = {{'feature_extractor_name': {NASTY!r}, 'version': {NASTY!r}, {NASTY!r}: 1}}\n"
        f"raise RuntimeError({NASTY!r})\n",
        "[red]name.py": "import socket\n",
    },
}


COMMANDS: tuple[tuple[str, ...], ...] = (("test",), ("lint", "--run"), ("publish", "--dry-run", "--no-tests"))


def confirmed(http: httpx.Client, client: Mixpeek, archive: bytes) -> list[Finding]:
    """Upload and confirm over plain HTTP; return the findings of the refusal."""
    plugins = f"/namespaces/{client.namespace}/plugins"
    place = http.post(f"{plugins}/uploads", json={"name": "text_embed"}).json()
    httpx.put(place["presigned_url"], content=archive).raise_for_status()
    answer = http.post(f"{plugins}/uploads/{place['upload_id']}/confirm", json={})
    error = refusal(answer, 400, "BadRequestError")
    findings: list[Finding] = answer.json()["validation_errors"]
    assert error["details"]["validation_errors"] == findings
    return findings


@pytest.mark.parametrize("name", BROKEN)
def test_the_commands_and_the_server_find_the_same(
    name: str, http: httpx.Client, client: Mixpeek, mix: Command, make_plugin: MakePlugin
) -> None:
    folder = make_plugin("text_embed", files=BROKEN[name])

    by_server = confirmed(http, client, zip_of(folder))
    # All commands share one examination, so one plugin is shown to each of them, and the others to one.
    for command in COMMANDS if name == "manifest and realtime" else COMMANDS[:1]:
        assert mix("plugin", *command, "--json", cwd=folder).json["findings"] == by_server

    assert {"rule", "severity", "path", "file", "line", "column", "message", "hint"} == set(by_server[0])
    assert any(finding["severity"] == "error" for finding in by_server)


def test_one_pass_says_what_is_wrong_in_every_file(mix: Command, make_plugin: MakePlugin) -> None:
    folder = make_plugin("text_embed", files=BROKEN["forbidden code"])

    found = mix("plugin", "lint", "--static", "--json", cwd=folder).json["findings"]

    assert {"manifest.unknown_key", "dependencies.url", "manifest.invalid_schema", "security.subprocess"} <= {
        finding["rule"] for finding in found
    }
    [dimension] = [finding for finding in found if "embedding_dim`?" in finding["message"]]
    assert (dimension["line"], dimension["column"]) == (3, 51)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_text_of_a_plugin_is_printed_as_text(
    command: tuple[str, ...], mix: Command, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    folder = make_plugin("text_embed", files=BROKEN["hostile text"])

    printed = mix("plugin", *command, cwd=folder, FORCE_COLOR="1", COLUMNS="80")
    in_json = mix("plugin", "lint", "--static", "--json", cwd=folder)

    shown = printed.out + printed.err
    assert printed.code == in_json.code == 1
    assert "[red]" in shown
    assert "\\x1b[2J" in shown
    for steering in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e"):
        assert steering not in shown
        assert steering not in in_json.out
    assert "Traceback" not in shown
