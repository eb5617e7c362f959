"""Names and version numbers of plugins: their accepted forms, and the ids made from them.

Which versions exist belongs to the registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME_PATTERN = re.compile(r"^[a-zA-Z][a-zA-Z0-9_]{2,63}$")
FIRST_VERSION = "1.0.0"

_VERSION = re.compile(r"^[vV]?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?$", re.ASCII)


def version_key(version: str) -> tuple[int, int, int]:
    """Return the three numbers of a version, for ordering; raise ValueError if it has another form."""
    match = _VERSION.match(version.strip())
    if match is None:
        raise ValueError(f"{version!r} is not a version; write three numbers, as in 1.0.0")
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major, minor, patch


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
