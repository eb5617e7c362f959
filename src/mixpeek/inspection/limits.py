"""How large an archive may be, packed and unpacked, and the error that refuses one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from mixpeek.errors import RequestError
from mixpeek.inspection.findings import Finding, in_order

_MIB = 1024 * 1024


@dataclass(frozen=True)
class ArchiveLimits:
    """Caps that hold while an archive is read, whatever its headers say."""

    archive_bytes: int = 500 * _MIB
    unpacked_bytes: int = 500 * _MIB
    files: int = 1_000
    # Folders and metadata records cost memory too, so entries of any kind are counted as well.
    entries: int = 10_000
    # Text packs about 4:1 and long runs of zeros 1000:1; small archives may do what they like.
    ratio: int = 200
    ratio_from_bytes: int = 10 * _MIB


LIMITS = ArchiveLimits()


class ArchiveRefused(RequestError):
    """The archive cannot be accepted."""

    code: ClassVar[str] = "inspection.archive_refused"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(in_order(findings))
        first, others = self.findings[0], len(self.findings) - 1
        message = first.message if not others else f"{first.message} (and {others} more findings)"
        super().__init__(message, hint=first.hint, validation_errors=[finding.wire() for finding in self.findings])
