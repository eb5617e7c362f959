"""Validating an archive: unpack it safely, then have its contents examined."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mixpeek.contract.manifest import Manifest
from mixpeek.errors import PlatformError
from mixpeek.examination.examine import examine
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.execution.port import LogOrigin
from mixpeek.inspection.archive import read_archive
from mixpeek.inspection.findings import Finding
from mixpeek.inspection.severities import NO_OVERRIDES, Overrides


@dataclass(frozen=True)
class Validated:
    """What validation found; `manifest` is None when there is an error among the findings."""

    findings: list[Finding]
    manifest: Manifest | None
    realtime: str | None
    code_hash: str
    package: str
    files: list[dict[str, Any]]


def unpack_version(archive: BinaryIO, directory: Path, code_hash: str) -> None:
    """Unpack beside `directory`, then rename, so that a directory of that name is always whole and what it says.

    Raises: PlatformError: the stored archive no longer holds the files that were published.
    """
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=".unpacking-"))
    try:
        unpacked = read_archive(archive, building / "files")
        if unpacked.code_hash != code_hash:
            raise PlatformError(
                f"A stored archive has code hash {unpacked.code_hash}, not {code_hash}",
                hint="The object store lost or altered it; restore it from a backup, or publish a new version",
            )
        try:
            unpacked.root.rename(directory)
        except OSError:
            if not directory.exists():  # another request may have unpacked the same content meanwhile
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def validate_archive(
    execution: BlockingExecution,
    archive: BinaryIO,
    scratch: Path,
    *,
    uid: int | None,
    expected_name: str | None,
    expected_version: str | None,
    overrides: Overrides = NO_OVERRIDES,
    origin: LogOrigin | None = None,
) -> Validated:
    """Examine `archive` in a host of its own, gathering every finding.

    Raises: ArchiveRefused: it is not a safe archive at all.
    """
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    building = Path(tempfile.mkdtemp(dir=scratch, prefix=".validating-"))
    try:
        unpacked = read_archive(archive, building / "files")
        seen = execution.call(
            examine(
                execution.execution,
                unpacked,
                expected_name=expected_name,
                expected_version=expected_version,
                uid=uid,
                is_built_later=True,
                overrides=overrides,
                origin=origin,
            )
        )
    finally:
        shutil.rmtree(building, ignore_errors=True)
    failed = any(finding.severity == "error" for finding in seen.findings)
    return Validated(
        findings=list(seen.findings),
        manifest=None if failed else seen.manifest,
        realtime=seen.realtime,
        code_hash=seen.code_hash,
        package=seen.package,
        files=[{"path": f.path, "size_bytes": f.size, "sha256": f.sha256} for f in unpacked.files],
    )
