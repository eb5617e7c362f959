"""The parts of an examination that need no host."""

from __future__ import annotations

import pytest

from mixpeek.errors import PluginCrashed, PluginRaised
from mixpeek.examination.environment import check_environment, installed_version
from mixpeek.examination.failures import finding_from_failure
from mixpeek.examination.package_name import package_name
from mixpeek.inspection.manifest_source import ManifestSource


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (("my_extractor", "other"), "my_extractor"),
        ((None, "from_manifest"), "from_manifest"),
        ((None, None), "plugin"),
        (("my-extractor 2",), "my_extractor_2"),
        (("2fast",), "_2fast"),
        (("größe",), "gr__e"),
        (("---",), "plugin"),
        (("json",), "json_plugin"),
        (("engine",), "engine_plugin"),
        (("pandas",), "pandas_plugin"),
        (("class",), "class_plugin"),
    ],
)
def test_any_folder_name_gives_an_importable_one(candidates: tuple[str | None, ...], expected: str) -> None:
    assert package_name(*candidates) == expected
    assert expected.isidentifier()


def test_declared_dependencies_are_compared_with_what_is_installed() -> None:
    source = ManifestSource.read("dependencies = [\n  'numpy>=1',\n  'nowhere_to_be_found>=1',\n  'numpy<1',\n]")
    declared = ["numpy>=1", "nowhere_to_be_found>=1", "numpy<1", "absent; python_version < '3'", "not valid!"]

    findings = check_environment(declared, source)

    assert [(finding.line, finding.rule) for finding in findings] == [
        (3, "dependencies.not_installed"),
        (4, "dependencies.not_installed"),
    ]
    assert "nowhere_to_be_found is not installed" in findings[0].message
    assert f"numpy is installed as {installed_version('numpy')}" in findings[1].message


def test_a_failure_becomes_a_finding_at_the_innermost_line_of_the_plugin() -> None:
    frames = [
        {"file": "manifest.py", "line": 3, "function": "<module>", "code": "import x"},
        {"file": "processors/core.py", "line": 8, "function": "<module>", "code": "1 / 0"},
    ]
    failure = PluginRaised("ZeroDivisionError:\n division by zero", frames=frames, exception="ZeroDivisionError")

    finding = finding_from_failure(failure, "manifest.cannot_be_read", "manifest.py")

    assert (finding.path, finding.line) == ("processors/core.py", 8)
    assert finding.message == "ZeroDivisionError: division by zero"


def test_a_failure_without_frames_points_at_the_file() -> None:
    finding = finding_from_failure(PluginCrashed("It ended"), "pipeline.build_failed", "pipeline.py")

    assert (finding.path, finding.line) == ("pipeline.py", None)
    assert "--verbose" in finding.hint
