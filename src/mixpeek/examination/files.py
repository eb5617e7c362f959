"""What a plugin's files alone show; nothing of it is run, and nothing that could run it is imported."""

from __future__ import annotations

from pathlib import Path

from mixpeek.examination.examination import Examination
from mixpeek.examination.package_name import package_name
from mixpeek.inspection.findings import Finding, in_order
from mixpeek.inspection.manifest import PATH, check_manifest_text
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.modules import MAX_SOURCE_BYTES
from mixpeek.inspection.scan import scan
from mixpeek.inspection.secrets import find_secrets
from mixpeek.inspection.severities import NO_OVERRIDES, Overrides
from mixpeek.inspection.structure import check_structure
from mixpeek.inspection.unpacked import UnpackedArchive

Findings = list[Finding]


def read_files(unpacked: UnpackedArchive, overrides: Overrides) -> tuple[Findings, Findings, Findings]:
    """Return the findings about structure, about code, and about likely secrets."""
    root = unpacked.root
    return (
        check_structure(root),
        scan(root, overrides=overrides),
        find_secrets(root, [file.path for file in unpacked.files]),
    )


def manifest_text(root: Path) -> bytes | None:
    """Return the content of manifest.py, None if there is none."""
    path = root / PATH
    if not path.is_file():
        return None
    with path.open("rb") as file:  # a longer one is refused by the scan
        return file.read(MAX_SOURCE_BYTES)


def examine_files(unpacked: UnpackedArchive, overrides: Overrides = NO_OVERRIDES) -> Examination:
    """Return everything that an unpacked plugin's files show, what manifest.py writes out in full included."""
    text = manifest_text(unpacked.root)
    source = ManifestSource.read(text)
    found = [finding for findings in read_files(unpacked, overrides) for finding in findings]
    if text is not None:
        found += check_manifest_text(source)[1]
    return Examination(
        findings=tuple(in_order(found)),
        manifest=None,
        realtime=None,
        steps=(),
        code_hash=unpacked.code_hash,
        files=unpacked.files,
        package=package_name(unpacked.name, source.text("feature_extractor_name")),
    )
