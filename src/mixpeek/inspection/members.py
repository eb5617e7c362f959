"""What a zip and a tar archive have in common: a stream of members, and the ways one can be unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mixpeek.inspection.findings import Finding, error

CHUNK_BYTES = 64 * 1024


class MemberKind(Enum):
    """What an entry claims to be; only files and folders are ever written."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"


@dataclass(frozen=True)
class Member:
    """One entry as the archive describes it; ``chunks`` must be read before the next member is asked for."""

    name: str
    kind: MemberKind
    chunks: Iterator[bytes]


class Unreadable(Exception):
    """The archive cannot be read further; carries the finding that says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def damaged(detail: str) -> Unreadable:
    """Return the refusal of an archive that ends early or contradicts itself."""
    return Unreadable(
        error("archive.damaged", f"The archive is damaged: {detail}", hint="Pack the plugin again and upload that file")
    )
