"""What is installed here, and whether it satisfies a set of requirements; reads metadata, imports nothing."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

OURSELVES = "mixpeek"
# What the host imports, and what every plugin may import undeclared.
_BASE = frozenset({"numpy", "packaging", "pandas", "pyarrow", "pydantic", "pyseccomp"})
# Imported by a host before it gives up its rights, so no other version than the server's own may stand there.
FIXED = (OURSELVES, "pyseccomp")


@dataclass(frozen=True)
class Installed:
    """One installed distribution and what it requires."""

    version: str
    requires: tuple[Requirement, ...]


class Packages:
    """The distributions of the server's own environment as hosts see it, behind those of some folders."""

    def __init__(self, *folders: Path) -> None:
        self._path = [*map(str, folders), *host_path()]

    def find(self, name: str) -> Installed | None:
        """Return the distribution that an import would find first, or None."""
        for found in importlib.metadata.distributions(name=name, path=self._path):
            place = getattr(found, "_path", None)
            if isinstance(place, Path):
                return _read(str(place), place.stat().st_mtime_ns)
            return _parsed(found)
        return None

    def version(self, name: str) -> str | None:
        """Return the version of a distribution, or None if it is not installed."""
        found = self.find(name)
        return None if found is None else found.version


@dataclass(frozen=True)
class Reached:
    """Everything that requirements lead to: versions by canonical name, and what is missing, in words."""

    versions: dict[str, str]
    faults: tuple[str, ...]


def reach(roots: Iterable[Requirement], packages: Packages) -> Reached:
    """Follow requirements, extras included, through what is installed."""
    versions: dict[str, str] = {}
    faults: dict[str, None] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(root, "") for root in roots]
    while waiting:
        requirement, asker = waiting.pop()
        name = canonicalize_name(requirement.name)
        found = packages.find(name)
        by = f" (for {asker})" if asker else ""
        if found is None:
            faults[f"{plain(requirement)} is not installed{by}"] = None
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            faults[f"{plain(requirement)} is needed{by}, and {found.version} is installed"] = None
        versions[name] = found.version
        for extra in ("", *requirement.extras):
            if (name, extra) not in done:
                done.add((name, extra))
                waiting += [(needed, name) for needed in found.requires if _applies(needed, extra)]
    return Reached(versions, tuple(faults))


def base_requirements() -> list[Requirement]:
    """Return what the host itself needs, from our own metadata."""
    declared = [Requirement(text) for text in importlib.metadata.requires(OURSELVES) or ()]
    return [one for one in declared if canonicalize_name(one.name) in _BASE and _applies(one, "")]


def plain(requirement: Requirement) -> str:
    """Return a requirement as name, extras and versions, and nothing that a file of requirements could misread.

    The marker has been evaluated by then; as text it could hold a line break and so smuggle in an option.
    """
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def host_path() -> list[str]:
    """Return the part of our own path that hosts have: no working directory, no user's packages, no PYTHONPATH."""
    roots = (Path(sys.prefix), Path(sys.base_prefix))
    return [entry for entry in sys.path if entry and any(Path(entry).is_relative_to(root) for root in roots)]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@lru_cache(maxsize=4096)
def _read(place: str, _changed: int) -> Installed | None:
    return _parsed(importlib.metadata.PathDistribution(Path(place)))


def _parsed(found: importlib.metadata.Distribution) -> Installed | None:
    metadata = found.metadata
    version = metadata["Version"]
    requires: list[Requirement] = []
    for text in metadata.get_all("Requires-Dist") or ():
        try:
            requires.append(Requirement(text))
        except InvalidRequirement:
            return None  # what cannot be read cannot be said to satisfy anything
    return None if version is None else Installed(version, tuple(requires))
