"""What the resolver says, put so that an author can act on it. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from mixpeek.errors import DependenciesRefused, EnvironmentUnavailable, MixpeekError
from mixpeek.execution.environments.sources import redact

_MAX_CHARACTERS = 1500
_LOCKED = (
    "These are the files this version was first installed with: put them back where packages come from, or publish a"
    " new version, which is resolved afresh"
)
_UNREACHABLE = ("failed to fetch", "request failed", "error sending request", "network connectivity is disabled")
_UNKNOWN = re.compile(r"\b([a-z0-9][a-z0-9._-]*) was not found in")
_NO_WHEEL = re.compile(r"\b([a-z0-9][a-z0-9._-]*)(?:==\S+)? (?:has|have) no usable wheels")
_NO_PLATFORM = re.compile(r"\b([a-z0-9][a-z0-9._-]*)(?:==\S+)? (?:has|have) no wheels with a matching")


def failure_from(
    printed: str, known: Collection[str], base: Collection[str], *, is_locked: bool = False
) -> MixpeekError:
    """Return the error that uv's own words describe.

    Args:
        known: names of packages there are, to suggest one for a misspelt name.
        base: names of packages that the platform itself needs.
        is_locked: whether exact files were asked for, not versions to choose from.
    """
    text = _shortened(printed)
    if any(sign in text.lower() for sign in _UNREACHABLE):
        return EnvironmentUnavailable(
            f"The package index cannot be reached: {text}\nTry again once it can be",
            hint="Try again once it can be; MIXPEEK_INDEX_URL names another, MIXPEEK_WHEELHOUSE a folder of wheels",
        )
    if "(os error" in text:
        return EnvironmentUnavailable(f"Packages cannot be installed on this machine: {text}")
    advice = _LOCKED if is_locked else _advice(text, known, base)
    return DependenciesRefused(f"The dependencies cannot be installed: {text}\n{advice}", hint=advice)


def _shortened(printed: str) -> str:
    """Return the lines that say why, on one line, without control characters and credentials."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    at = next((number for number, line in enumerate(lines) if line.startswith("error:")), 0)
    words = [re.sub(r"^(error|cause): ", "", line) for line in lines[at:] if line and not line.startswith("hint:")]
    text = redact(": ".join([*words[:1], " ".join(words[1:])] if len(words) > 1 else words))
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"


def _advice(text: str, known: Collection[str], base: Collection[str]) -> str:
    if platform := _NO_PLATFORM.search(text):
        return f"{platform[1]} has no wheel for this machine and Python; choose a version that has one"
    if wheel := _NO_WHEEL.search(text):
        return (
            f"{wheel[1]} comes as source only, and building it would run its code outside a host;"
            " build a wheel of it and put that into the index or the wheelhouse"
        )
    if unknown := _UNKNOWN.search(text):
        near = difflib.get_close_matches(unknown[1], known, n=1)
        guess = f"; did you mean `{near[0]}`?" if near else "; check how it is spelt"
        return f"There is no package `{unknown[1]}` here{guess}"
    ours = sorted(name for name in base if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))
    own = f"; the platform itself needs {', '.join(ours)}, so plugins have to agree with it" if ours else ""
    return f"Change the version ranges in `dependencies` so that they agree{own}"
