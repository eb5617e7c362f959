"""Names and version numbers of plugins: their accepted forms, and the ids made from them.

Which versions exist belongs to the registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME_PATTERN = re.compile(r"^[a-zA-Z][a-zA-Z0-9_]{2,63}$")
FIRST_VERSION = "1.0.0"

_MAX_SHOWN = 100

_NUMBER = r"(0|[1-9]\d{0,5})"
_VERSION = re.compile(rf"[vV]?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?", re.ASCII)


def version_key(version: str) -> tuple[int, int, int]:
    """Return the three numbers of a version, for ordering; raise ValueError if it has another form."""
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        raise ValueError(f"{_shown(version)} is not a version; {_repair(version)}")
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major, minor, patch


def _repair(version: str) -> str:
    """Return what to write instead of a text that is not a version."""
    numbers = re.match(r"\s*[vV]?(\d+(?:\.\d+)*)(.*)", version[:_MAX_SHOWN], re.ASCII | re.DOTALL)
    if numbers is None:
        return "write three numbers, as in 1.0.0"
    parts, rest = numbers[1].split("."), numbers[2].strip()
    if rest:
        return f"leave out {rest!r}: pre-release and build text is not supported, write three numbers, as in 1.0.0"
    if len(parts) > 3:
        return f"it has {len(parts)} numbers, write three, as in 1.0.0"
    if any(len(part.lstrip("0")) > 6 for part in parts):
        return "a number may have at most six digits"
    return "write its numbers without leading zeros, as in 1.0.0"


def _shown(version: str) -> str:
    return repr(version if len(version) <= _MAX_SHOWN else version[:_MAX_SHOWN] + "…")


def normalise_version(version: str) -> str:
    """Return `X.Y.Z` for `v1`, `1`, `1.2`, `v1.2.3`; raise ValueError for any other form."""
    return ".".join(str(number) for number in version_key(version))


def plugin_id_from(name: str, version: str) -> str:
    """Return the plugin id, as in `text_embed_1_0_0` for `text_embed` at `1.0.0`."""
    return f"{name}_{normalise_version(version).replace('.', '_')}"


def next_patch(versions: Iterable[str]) -> str:
    """Return the version after the highest one given: its patch number raised by one, or 1.0.0 after none."""
    known = [version_key(version) for version in versions]
    if not known:
        return FIRST_VERSION
    major, minor, patch = max(known)
    return f"{major}.{minor}.{patch + 1}"
