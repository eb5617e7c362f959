"""`mixpeek plugin lint`: every finding, no test run, no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_plugin import MANIFEST, PIPELINE, write_plugin

from factories.commands import Command

# Put together here, so that no tool that reads this file takes it for the thing itself.
KEY = "sk_" + "live_51Hq8ZxR2eZvKYlo2C0aBcDe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "small_one"


def test_a_clean_plugin_has_no_findings_and_its_tests_are_not_run(mix: Command, folder: Path) -> None:
    write_plugin(folder, test="raise RuntimeError('was run')\n")

    ran = mix("plugin", "lint", folder)

    assert ran.code == 0, ran
    assert ran.out.endswith("\nsmall_one: 0 errors, 0 warnings\n")
    assert "Tests" not in ran.out


def test_findings_of_every_kind_come_with_their_places(mix: Command, folder: Path) -> None:
    write_plugin(folder, manifest=MANIFEST.replace("embedding_dim", "dim"))
    (folder / "keys.py").write_text(f"\nkey = '{KEY}'\n")

    ran = mix("plugin", "lint", folder, "--json")

    assert (ran.code, ran.json["success"]) == (1, False)
    assert {(finding["rule"], finding["path"]) for finding in ran.json["findings"]} == {
        ("manifest.unknown_key", "manifest.py"),
        ("secret.api_key", "keys.py"),
    }


def test_code_that_is_not_allowed_is_found_without_running_it(mix: Command, folder: Path) -> None:
    write_plugin(folder, pipeline="import ctypes\n" + PIPELINE)

    ran = mix("plugin", "lint", folder)

    assert ran.code == 1
    assert "  pipeline.py:1:" in ran.out
    assert "– Schemas" in ran.out


def test_warnings_fail_only_where_that_is_asked_for(mix: Command, folder: Path) -> None:
    write_plugin(folder, manifest=MANIFEST.replace('"category": "text"', '"category": "poems"'))

    lenient, strict = mix("plugin", "lint", folder), mix("plugin", "lint", folder, "--strict")

    assert (lenient.code, strict.code) == (0, 1)
    assert "0 errors, 1 warning" in lenient.out


def test_nothing_of_the_plugin_is_run_unless_that_is_asked_for(mix: Command, folder: Path) -> None:
    wrong = MANIFEST.replace("embedding_dim", "dim")
    write_plugin(folder, manifest=wrong, realtime="raise RuntimeError('was run')\n")

    run, read = mix("plugin", "lint", folder, "--run", "--json"), mix("plugin", "lint", folder, "--json")

    assert [finding["rule"] for finding in run.json["findings"]] == ["manifest.unknown_key", "realtime.cannot_be_read"]
    assert read.json["findings"] == run.json["findings"][:1]
    assert (run.code, read.code) == (1, 1)


def test_a_json_document_holds_no_character_that_steers_a_terminal(mix: Command, folder: Path) -> None:
    write_plugin(folder, test="def test_it():\n    print('\\x9b31m\\u202e größe')\n    assert False\n")

    ran = mix("plugin", "test", folder, "--json")

    assert "\x9b" not in ran.out
    assert "\u202e" not in ran.out
    assert "\x9b31m\u202e größe" in ran.json["tests"]["output"]
