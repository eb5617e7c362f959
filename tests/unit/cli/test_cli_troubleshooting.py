"""The documented troubles of authors, each made on purpose: the command says what the documents advise."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories.commands import Command


def rewritten(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.fixture
def plugin(mix: Command, tmp_path: Path) -> Path:
    assert mix("plugin", "init", "troubled", "--category", "text", "--output", str(tmp_path)).code == 0
    return tmp_path / "troubled"


def test_a_folder_without_init_is_a_package_all_the_same(mix: Command, plugin: Path) -> None:
    (plugin / "processors" / "__init__.py").unlink()

    ran = mix("plugin", "test", "--path", str(plugin))

    assert ran.code == 0, ran.out + ran.err


def test_a_forbidden_pattern_is_named_with_what_to_write_instead(mix: Command, plugin: Path) -> None:
    core = plugin / "processors" / "core.py"
    core.write_text(f'{core.read_text()}\neval("1")\n')

    ran = mix("plugin", "test", "--path", str(plugin))

    assert ran.code == 1
    assert "`eval` runs text as code" in ran.out
    assert "use `ast.literal_eval`" in ran.out


def test_a_manifest_that_exports_no_metadata_is_told_what_to_add(mix: Command, plugin: Path) -> None:
    rewritten(plugin / "manifest.py", "\nmetadata", "\nmetadatas")

    ran = mix("plugin", "test", "--path", str(plugin))

    assert ran.code == 1
    assert "did you mean `metadata`?" in ran.out
    assert "manifest.missing_key" in ran.out
