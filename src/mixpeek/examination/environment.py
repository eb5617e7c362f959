"""Whether the running environment has what a plugin declares."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mixpeek.inspection.dependencies import requirements_from
from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.manifest_source import ManifestSource

InstalledVersion = Callable[[str], str | None]


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
    dependencies: Iterable[str], source: ManifestSource, installed: InstalledVersion = installed_version
) -> list[Finding]:
    """Return an error for each declared dependency that is absent, or present in another version."""
    declared = list(dependencies)
    findings: list[Finding] = []
    for index, text in enumerate(declared):
        for requirement in requirements_from([text]):
            version = installed(requirement.name)
            if version is not None and requirement.specifier.contains(version, prereleases=True):
                continue
            what = "is not installed" if version is None else f"is installed as {version}"
            line, column = source.place("dependencies", index) or (None, None)
            findings.append(
                error(
                    "dependencies.not_installed",
                    f"`{text}` is declared, but {requirement.name} {what} here",
                    hint=f"Run `pip install '{text}'` in the environment that runs mixpeek",
                    path="manifest.py",
                    line=line,
                    column=column,
                )
            )
    return findings
