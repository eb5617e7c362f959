"""Declared dependencies: package names with version ranges, and nothing that fetches code from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mixpeek.inspection.manifest_report import ManifestReport

MAX_CHARACTERS = 256
_HINT = 'Write a package name with a version range, as in "tokenizers>=0.20"'
_FILES = (".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".txt", ".toml", ".py", ".egg")
_IS_ADDRESS = "it names an address to fetch code from"
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://|^git\+|^file:")


def requirements_from(dependencies: Iterable[str]) -> list[Requirement]:
    """Return the dependencies that can be read and that apply to this interpreter."""
    found = [requirement for one in dependencies if isinstance(requirement := _parse(one), Requirement)]
    return [one for one in found if one.url is None and _refused(one) is None and _applies(one)]


def check_dependencies(dependencies: Sequence[str | None], report: ManifestReport) -> None:
    """Report each entry that is not a plain requirement, and entries that repeat or contradict each other.

    An entry that is None is skipped; it only keeps the places of the others.
    """
    known: dict[str, list[Requirement]] = {}
    for index, one in enumerate(dependencies):
        if one is None:
            continue
        requirement, at = _parse(one), ("dependencies", index)
        if isinstance(requirement, str):
            rule = "dependencies.url" if requirement == _IS_ADDRESS else "dependencies.invalid"
            report.add(rule, f"`{one[:MAX_CHARACTERS]}` is not a dependency: {requirement}", _HINT, *at)
        elif requirement.url is not None:
            words = f"`{requirement.name}` names an address to fetch code from"
            report.add("dependencies.url", words, _HINT, *at)
        elif (refused := _refused(requirement)) is not None:
            report.add("dependencies.invalid", f"`{one}` is not a dependency: {refused}", _HINT, *at)
        else:
            earlier = known.setdefault(canonicalize_name(requirement.name), [])
            _compare(requirement, earlier, index, report)
            earlier.append(requirement)


def _parse(text: str) -> Requirement | str:
    """Return the requirement, or why the text is none."""
    reason = next((reason for is_so, reason in _NO_REQUIREMENT if is_so(text)), None)
    if reason is not None:
        return reason
    try:
        requirement = Requirement(text)
        _applies(requirement)
    except InvalidRequirement as cause:
        return str(cause).splitlines()[0] if str(cause) else "it cannot be read"
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as cause:
        return f"its condition cannot be judged: {cause}"
    return requirement


_NO_REQUIREMENT: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda text: len(text) > MAX_CHARACTERS, f"it has more than {MAX_CHARACTERS} characters"),
    (lambda text: not text.isprintable(), "it contains a line break or a control character"),
    (lambda text: text.lstrip().startswith("-"), "it is an installer option"),
    (_ADDRESS.search, _IS_ADDRESS),
)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def _refused(requirement: Requirement) -> str | None:
    """Return why a readable requirement is refused all the same, or None."""
    if requirement.name.lower().endswith(_FILES):
        return "it names a file"
    for specifier in requirement.specifier:
        if specifier.operator == "===":
            return "`===` compares text instead of versions; use `==`"
        if "+" in specifier.version:
            return f"{specifier.version!r} is a local version, which no index has"
    return None


def _compare(requirement: Requirement, earlier: list[Requirement], index: int, report: ManifestReport) -> None:
    """Report a requirement that repeats an earlier one, or that no version satisfies together with them."""
    name, at = requirement.name, ("dependencies", index)
    if any((one.specifier, one.marker) == (requirement.specifier, requirement.marker) for one in earlier):
        report.warn("dependencies.duplicate", f"`{name}` is declared twice alike", "Remove one of them", *at)
        return
    together = requirement.specifier
    for one in earlier:
        # Conditions may exclude each other, as those for two versions of Python do.
        if str(one.marker) == str(requirement.marker):
            together &= one.specifier
    if len(together) > 0 and not _is_satisfiable(together):
        words = f"No version of `{name}` satisfies `{together}`"
        report.add("dependencies.contradiction", words, "Widen the range, or name the package once", *at)


def _is_satisfiable(specifiers: SpecifierSet) -> bool:
    """Tell whether some version passes; tries those at, just above and just below each that is named."""
    return any(specifiers.contains(one, prereleases=True) for part in specifiers for one in _around(part))


def _around(specifier: Specifier) -> Iterator[Version]:
    named = Version(specifier.version.removesuffix(".*"))
    yield named
    prefix = f"{named.epoch}!" + ".".join(map(str, named.release))
    yield from (Version(f"{prefix}.0.0.1"), Version(f"{prefix}.1"), Version(f"{prefix}.post1"))
    *start, last = named.release
    yield Version(f"{named.epoch}!" + ".".join(map(str, [*start, last + 1])))
    for cut in range(len(named.release), 0, -1):
        *start, last = named.release[:cut]
        if last > 0:
            yield Version(f"{named.epoch}!" + ".".join(map(str, [*start, last - 1, 9999])))
