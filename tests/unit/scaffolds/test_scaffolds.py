"""New plugins from the templates: renamed throughout, free of findings, and working."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from mixpeek.errors import AlreadyExists, InvalidRequest
from mixpeek.inspection.scan import scan
from mixpeek.scaffolds import TEMPLATES, camel_case, check_name, render

PLUGINS = Path(__file__).parents[3] / "examples" / "plugins"
NAMES = ["my_extractor", "My_Extractor2", "text", "data", "text_embedding", "None_", "a__", "model_dump"]


# What several templates have in common: each is a plugin that stands alone, so each has it among its files.
SHARED = {
    ".github/workflows/test.yml": set(TEMPLATES),
    "tests/conftest.py": set(TEMPLATES),
    "processors/encoder.py": {"text", "document", "multimodal"},
    "processors/vocab.txt": {"text", "document", "multimodal"},
    "processors/perception.py": {"image", "video", "multimodal"},
    "processors/pictures.py": {"image", "multimodal"},
}


def rendered(
    into: Path,
    name: str = "my_extractor",
    description: str = "What it does",
    author: str = "Ada",
    category: str = "text",
) -> Path:
    render(category, name, description, author, into)
    return into


def declared_in(folder: Path, name: str) -> Any:
    """Return a literal that the manifest binds to a name, without running it."""
    tree = ast.parse((folder / "manifest.py").read_text())
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return next(ast.literal_eval(node.value) for node in assigned if ast.unparse(node.targets[0]) == name)


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


@pytest.mark.parametrize("category", TEMPLATES)
def test_a_template_is_renamed_throughout_and_has_no_findings(tmp_path: Path, category: str) -> None:
    template = TEMPLATES[category]
    folder = rendered(tmp_path / "p", category=category)

    names = (template.name.encode(), camel_case(template.name).encode(), template.description.encode())
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in files if any(name in path.read_bytes() for name in names)] == []
    assert scan(folder) == []
    assert declared_in(folder, "metadata") == {
        "feature_extractor_name": "my_extractor",
        "version": "1.0.0",
        "description": "What it does",
        "category": category,
        "author": "Ada",
    }
    assert {"README.md", "pyproject.toml", "samples.json", ".github/workflows/test.yml", "tests/test_plugin.py"} <= {
        path.relative_to(folder).as_posix() for path in files
    }


@pytest.mark.parametrize("category", TEMPLATES)
def test_the_samples_are_small_files_that_are_there(tmp_path: Path, category: str) -> None:
    folder = rendered(tmp_path / "p", category=category)
    rows = json.loads((folder / "samples.json").read_text())

    named = {value for row in rows for value in row.values() if value.startswith("samples/")}
    shipped = {path.relative_to(folder).as_posix() for path in folder.glob("samples/*")}
    assert len(rows) >= 2
    assert named == shipped
    assert all((folder / name).stat().st_size <= 20_000 for name in named)
    assert all("mime_type" in row for row in rows) is (category != "text")


@pytest.mark.parametrize("path", SHARED)
def test_what_templates_have_in_common_is_the_same_in_all_of_them(path: str) -> None:
    holders = {category for category, template in TEMPLATES.items() if (PLUGINS / template.name / path).is_file()}
    contents = {hashlib.sha256((PLUGINS / TEMPLATES[each].name / path).read_bytes()).hexdigest() for each in holders}

    assert holders == SHARED[path]
    assert len(contents) == 1


@pytest.mark.parametrize("category", TEMPLATES)
def test_manifest_and_pyproject_ask_for_the_same_packages(tmp_path: Path, category: str) -> None:
    folder = rendered(tmp_path / "p", category=category)
    declared = declared_in(folder, "dependencies")

    listed = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(declared) == set(listed) - {"numpy>=2.0", "pandas>=2.2", "pydantic>=2.12,<3"}


def test_the_workflow_installs_what_the_plugin_needs_and_runs_both_checks(tmp_path: Path) -> None:
    workflow = yaml.safe_load((rendered(tmp_path / "p") / ".github/workflows/test.yml").read_text())

    run = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    assert "--requirements pyproject.toml" in run[1]
    assert run[2:] == ["mixpeek plugin lint", "mixpeek plugin test --sample-data samples.json"]


@pytest.mark.parametrize("text", ['"quoted" \\ and\nbroken', "text_embedding", "Ünïcode 🎈", "\x7f tab\t"])
def test_description_and_author_may_hold_anything(tmp_path: Path, text: str) -> None:
    folder = rendered(tmp_path / "p", description=text, author=text)

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = declared_in(folder, "metadata")
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


def test_a_category_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        render("nonsense", "my_extractor", "", "", tmp_path / "p")

    assert "text, image, video, audio, document, multimodal" in (caught.value.hint or "")


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
