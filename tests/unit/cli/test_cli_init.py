"""`mixpeek plugin init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories.commands import Command
from mixpeek.scaffolds import TEMPLATES


def test_a_new_plugin_lies_in_a_folder_of_its_name(
    mix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = mix("plugin", "init", "sentiment_analyzer", "--category", "text", "--author", "Ada")

    assert (ran.code, ran.out) == (0, "Created sentiment_analyzer\n")
    assert "mixpeek plugin test" in ran.err
    manifest = (tmp_path / "sentiment_analyzer" / "manifest.py").read_text()
    assert '"feature_extractor_name": "sentiment_analyzer"' in manifest
    assert '"author": "Ada"' in manifest


def test_the_output_folder_may_be_elsewhere_and_new(mix: Command, tmp_path: Path) -> None:
    ran = mix("plugin", "init", "my_extractor", "-o", tmp_path / "a" / "b", "--json")

    assert ran.code == 0
    assert ran.json["path"] == str(tmp_path / "a" / "b" / "my_extractor")
    assert all((tmp_path / "a" / "b" / "my_extractor" / file).is_file() for file in ran.json["files"])


def test_an_existing_folder_is_not_touched(mix: Command, tmp_path: Path) -> None:
    (tmp_path / "my_extractor").mkdir()

    ran = mix("plugin", "init", "my_extractor", "-o", tmp_path)

    assert ran.code == 1
    assert "exists already" in ran.err
    assert list((tmp_path / "my_extractor").iterdir()) == []


def test_a_category_without_a_template_is_a_wrong_call_that_names_what_there_is(mix: Command, tmp_path: Path) -> None:
    ran = mix("plugin", "init", "my_extractor", "-c", "smells", "-o", tmp_path)

    assert ran.code == 2
    assert "smells" in ran.err
    assert ", ".join(TEMPLATES) in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_hyphen_is_answered_with_one_that_works(mix: Command, tmp_path: Path) -> None:
    ran = mix("plugin", "init", "my-extractor", "-o", tmp_path)

    assert ran.code == 2
    assert "Use `my_extractor`" in ran.err
