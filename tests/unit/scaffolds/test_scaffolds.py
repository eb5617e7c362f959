"""New plugins from the template: renamed throughout, free of findings, and working."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mixpeek.errors import AlreadyExists, InvalidRequest
from mixpeek.inspection.scan import scan
from mixpeek.scaffolds import camel_case, check_name, render

TEMPLATE = Path(__file__).parents[3] / "examples" / "plugins" / "text_embedding"
NAMES = ["my_extractor", "My_Extractor2", "text", "data", "text_embedding", "None_", "a__", "model_dump"]


def rendered(into: Path, name: str = "my_extractor", description: str = "What it does", author: str = "Ada") -> Path:
    render("text", name, description, author, into)
    return into


@pytest.mark.parametrize(
    ("name", "expected"), [("my_extractor", "MyExtractor"), ("My_X2", "MyX2"), ("abc", "Abc"), ("a__b", "AB")]
)
def test_class_names_come_from_the_name(name: str, expected: str) -> None:
    assert camel_case(name) == expected


@pytest.mark.parametrize("name", NAMES)
def test_any_valid_name_gives_python_that_parses_and_has_no_findings(tmp_path: Path, name: str) -> None:
    folder = rendered(tmp_path / "p", name)

    for path in folder.rglob("*.py"):
        ast.parse(path.read_text())
    assert scan(folder) == []
    assert f'"feature_extractor_name": "{name}"' in (folder / "manifest.py").read_text()


def test_nothing_of_the_template_is_left_but_its_vocabulary(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "p")

    left = [path.name for path in folder.rglob("*.*") if "text_embedding" in path.read_text().lower()]
    assert left == []
    vocabulary = "processors/vocab.txt"
    assert (folder / vocabulary).read_bytes() == (TEMPLATE / vocabulary).read_bytes()


@pytest.mark.parametrize("text", ['"quoted" \\ and\nbroken', "text_embedding", "Ünïcode 🎈", "\x7f tab\t"])
def test_description_and_author_may_hold_anything(tmp_path: Path, text: str) -> None:
    folder = rendered(tmp_path / "p", description=text, author=text)

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    tree = ast.parse((folder / "manifest.py").read_text())
    metadata = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "metadata"
    )
    assert (metadata["description"], metadata["author"]) == (text, text)
    assert (project["description"], project["authors"]) == (text, [{"name": text}])


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("my-extractor", "my_extractor"),
        ("My Extractor!", "my_extractor"),
        ("class", None),
        ("ab", None),
        ("1abc", None),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(name: str, proposal: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_name(name)

    assert (f"`{proposal}`" if proposal else "Choose another name") in (caught.value.hint or "")


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        rendered(tmp_path)


@pytest.mark.parametrize("category", ["image", "video", "audio", "document", "multimodal", "nonsense"])
def test_other_categories_name_what_there_is(tmp_path: Path, category: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        render(category, "my_extractor", "", "", tmp_path / "p")

    assert "`--category text`" in (caught.value.hint or "")


def test_the_samples_fit_the_input_schema(tmp_path: Path) -> None:
    rows = json.loads((rendered(tmp_path / "p") / "samples.json").read_text())

    assert rows
    assert all(list(row) == ["text"] for row in rows)


def test_a_new_plugin_passes_its_own_tests_with_plain_pytest_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "my plugin-1.0", "Data")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert ran.returncode == 0, ran.stdout


def test_a_new_plugin_passes_the_whole_check_in_the_sandbox(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "my_extractor")
    command = [sys.executable, "-m", "mixpeek", "plugin", "test", "--json", "-p", folder, "-s", folder / "samples.json"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads(ran.stdout)
    assert {check["status"] for check in document["checks"]} == {"passed"}
    assert document["samples"]["realtime_rows"] == 3
