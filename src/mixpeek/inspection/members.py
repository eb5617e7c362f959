"""What a zip and a tar archive have in common: a stream of members, and the ways one can be unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mixpeek.inspection.findings import Finding, error

CHUNK_BYTES = 64 * 1024
_AGAIN = "Pack the plugin again and upload that file"


class MemberKind(Enum):
    """What an entry claims to be; only files and folders are ever written."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"


@dataclass(frozen=True)
class Member:
    """One entry as the archive describes it.

    ``mode`` holds the permission bits, 0 if there are none; ``refusals`` is what its container alone can see;
    ``chunks`` must be read, or left, before the next member is asked for.
    """

    name: str
    kind: MemberKind
    chunks: Iterator[bytes]
    mode: int = 0
    refusals: tuple[Finding, ...] = ()


class Unreadable(Exception):
    """The archive, or only this member, cannot be read further; carries the finding that says why."""

    def __init__(self, finding: Finding, *, only_member: bool = False) -> None:
        super().__init__(finding.message)
        self.finding = finding
        self.only_member = only_member


def unreadable(rule: str, what: str, *, path: str = "", hint: str = _AGAIN, only_member: bool = False) -> Unreadable:
    """Return the refusal of an archive that breaks a rule in a way that ends the reading."""
    return Unreadable(error(rule, what, hint=hint, path=path), only_member=only_member)


def damaged(detail: str) -> Unreadable:
    """Return the refusal of an archive that ends early or cannot be decoded."""
    return unreadable("archive.damaged", f"The archive is damaged: {detail}")


def entry_refusal(rule: str, name: str, what: str, hint: str = _AGAIN) -> Finding:
    """Return the refusal of one entry, called as it is written in the archive."""
    shown = name if len(name) <= 200 else name[:200] + "…"
    return error(rule, f"Entry `{shown}` {what}", hint=hint, path=shown)


def text_from(raw: bytes) -> str:
    """Return a name; bytes that are not UTF-8 stay visible as lone surrogates, which no name may hold."""
    return raw.decode("utf-8", "surrogateescape")
