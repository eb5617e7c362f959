"""Whether the running environment has what a plugin declares, and what to say of what it has not.

On an author's machine that is an error. A server installs the packages before the plugin is first started, so there it
is a warning, and what could not be imported meanwhile is checked then.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from mixpeek.errors import PluginError
from mixpeek.examination.failures import finding_from_failure
from mixpeek.inspection.dependencies import requirements_from
from mixpeek.inspection.findings import Finding, Severity, error, warning
from mixpeek.inspection.manifest_source import ManifestSource

NOT_INSTALLED_YET = "dependencies.not_installed_yet"

InstalledVersion = Callable[[str], str | None]

_IMPORT_FAILURES = frozenset({"ImportError", "ModuleNotFoundError"})


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_beside(paths: Iterable[Path]) -> InstalledVersion:
    """Return `installed_version` for an environment that has these folders of packages too."""
    searched = [*map(str, paths), *sys.path]

    def version(distribution: str) -> str | None:
        found = next(iter(importlib.metadata.distributions(name=distribution, path=searched)), None)
        return None if found is None else found.version

    return version


def check_environment(
    dependencies: Iterable[str],
    source: ManifestSource,
    installed: InstalledVersion = installed_version,
    *,
    is_built_later: bool = False,
) -> list[Finding]:
    """Return a finding for each declared dependency that is absent, or present in another version.

    Args:
        is_built_later: whether the plugin will run in an environment of its own, which is not built yet.
    """
    declared = list(dependencies)
    findings: list[Finding] = []
    for index, text in enumerate(declared):
        for requirement in requirements_from([text]):
            version = installed(requirement.name)
            if version is not None and requirement.specifier.contains(version, prereleases=True):
                continue
            what = "is not installed" if version is None else f"is installed as {version}"
            line, column = source.place("dependencies", index) or (None, None)
            if is_built_later:
                finding = warning(
                    NOT_INSTALLED_YET,
                    f"`{text}` is declared and {requirement.name} {what} here yet",
                    hint="Nothing to do: it is installed when the plugin is first deployed, which then checks it",
                    path="manifest.py",
                    line=line,
                    column=column,
                )
            else:
                finding = error(
                    "dependencies.not_installed",
                    f"`{text}` is declared, but {requirement.name} {what} here",
                    hint=f"Run `pip install '{text}'` in the environment that runs mixpeek",
                    path="manifest.py",
                    line=line,
                    column=column,
                )
            findings.append(finding)
    return findings


def is_import_failure(failure: PluginError) -> bool:
    """Tell whether plugin code failed because something could not be imported."""
    return failure.details.get("exception") in _IMPORT_FAILURES


def left_to_building(failure: PluginError, path: str) -> Finding:
    """Return the finding for code that cannot be imported before its packages are installed."""
    finding = finding_from_failure(failure, NOT_INSTALLED_YET, path, Severity.WARNING)
    hint = "Not checked yet: it is, when its dependencies are installed for the first deployment"
    return replace(finding, hint=hint)


def needed_too_early(failure: PluginError, rule: str, path: str) -> Finding:
    """Return the finding for a manifest that needs a package which is installed only once the manifest is read."""
    finding = finding_from_failure(failure, rule, path)
    hint = (
        "manifest.py is read before its dependencies are installed: import only pydantic, numpy, pandas and pyarrow"
        " there, and the others where they are used"
    )
    return replace(finding, hint=hint)
