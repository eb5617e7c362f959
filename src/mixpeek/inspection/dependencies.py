"""Declared dependencies: package names with version ranges, and nothing that fetches code from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement

from mixpeek.inspection.findings import Finding, error
from mixpeek.inspection.manifest_source import ManifestSource

_HINT = 'Write a package name with a version range, as in "tokenizers>=0.20"'


def requirements_from(dependencies: Iterable[str]) -> list[Requirement]:
    """Return the dependencies that can be read and that apply to this interpreter."""
    found = [requirement for one in dependencies if isinstance(requirement := _parse(one), Requirement)]
    return [one for one in found if one.url is None and (one.marker is None or one.marker.evaluate())]


def check_dependencies(dependencies: Iterable[str], source: ManifestSource) -> list[Finding]:
    """Return a finding for each entry that is not a plain requirement."""
    findings: list[Finding] = []
    for index, one in enumerate(dependencies):
        requirement = _parse(one)
        line, column = source.place("dependencies", index) or (None, None)
        if isinstance(requirement, str):
            findings.append(
                error(
                    "dependencies.invalid",
                    f"`{one}` is not a dependency: {requirement}",
                    hint=_HINT,
                    path="manifest.py",
                    line=line,
                    column=column,
                )
            )
        elif requirement.url is not None:
            findings.append(
                error(
                    "dependencies.url",
                    f"`{requirement.name}` names an address to fetch code from",
                    hint=_HINT,
                    path="manifest.py",
                    line=line,
                    column=column,
                )
            )
    return findings


def _parse(text: str) -> Requirement | str:
    """Return the requirement, or why the text is none."""
    if text.lstrip().startswith("-"):
        return "it is an installer option"
    try:
        return Requirement(text)
    except InvalidRequirement as cause:
        return str(cause).splitlines()[0] if str(cause) else "it cannot be read"
