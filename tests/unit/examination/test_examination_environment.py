"""What is said of declared packages that are not installed: an error where the author works, a warning on a server."""

from __future__ import annotations

import pytest

from mixpeek.errors import PluginRaised
from mixpeek.examination.environment import check_environment, is_import_failure, left_to_building, needed_too_early
from mixpeek.inspection.manifest_source import ManifestSource

SOURCE = ManifestSource.read(b'feature_extractor_name = "x"\ndependencies = [\n    "there>=1",\n    "absent",\n]\n')
FAILURE = PluginRaised(
    "ModuleNotFoundError: No module named 'absent'",
    exception="ModuleNotFoundError",
    frames=[{"file": "processors/core.py", "line": 3, "function": "<module>"}],
)


@pytest.mark.parametrize(
    ("is_built_later", "rule", "is_error"),
    [(False, "dependencies.not_installed", True), (True, "dependencies.not_installed_yet", False)],
)
def test_a_package_that_is_not_installed_is_an_error_only_where_nobody_will_install_it(
    is_built_later: bool, rule: str, is_error: bool
) -> None:
    installed = {"there": "1.5"}.get

    findings = check_environment(["there>=1", "absent"], SOURCE, installed, is_built_later=is_built_later)

    assert [(finding.rule, finding.line, finding.is_error) for finding in findings] == [(rule, 4, is_error)]


def test_code_that_waits_for_its_packages_is_named_where_it_stands() -> None:
    finding = left_to_building(FAILURE, "pipeline.py")

    assert is_import_failure(FAILURE)
    assert (finding.path, finding.line, finding.is_error) == ("processors/core.py", 3, False)
    assert "Not checked yet" in finding.hint


def test_a_manifest_that_waits_for_its_packages_is_told_to_do_without() -> None:
    finding = needed_too_early(FAILURE, "manifest.cannot_be_read", "manifest.py")

    assert finding.is_error
    assert "before its dependencies are installed" in finding.hint


def test_other_failures_do_not_wait_for_packages() -> None:
    assert not is_import_failure(PluginRaised("ValueError: no", exception="ValueError"))
