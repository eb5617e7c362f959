"""Words the manifest's faults for its author: which key, on which line, and what was probably meant.

The values come from a host that read manifest.py, or from its text; the model that decides is `contract.manifest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mixpeek.contract.manifest import Manifest
from mixpeek.inspection.bounds import check_bounds
from mixpeek.inspection.findings import Finding, has_errors
from mixpeek.inspection.manifest_contents import check_contents, fields_of, valid_fields
from mixpeek.inspection.manifest_keys import similar_names, without_unknown_keys
from mixpeek.inspection.manifest_literals import read_literals
from mixpeek.inspection.manifest_report import PATH, ManifestReport
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.manifest_words import add_error

__all__ = ["PATH", "check_manifest", "check_manifest_text"]


def check_manifest(raw: Mapping[str, Any], source: str | bytes | None = None) -> tuple[Manifest | None, list[Finding]]:
    """Return the checked manifest, or None if a finding is an error, and all findings by line.

    Args:
        raw: the fields as `describe` gave them, unknown keys included.
        source: the text of manifest.py, for line numbers.
    """
    report = ManifestReport(ManifestSource.read(source))
    manifest = _check(raw, report)
    findings = report.in_order()
    return (None if has_errors(findings) else manifest), findings


def check_manifest_text(source: ManifestSource) -> tuple[dict[str, Any], list[Finding]]:
    """Return the fields that manifest.py writes out in full, and the findings about them; nothing is run."""
    raw, unread = read_literals(source)
    report = ManifestReport(source, unread)
    _check(raw, report)
    return raw, report.in_order()


def _check(raw: Mapping[str, Any], report: ManifestReport) -> Manifest | None:
    for name, path in report.source.repeated:
        words = f"`{name[:80]}` is written twice, and only the last counts"
        report.add("manifest.repeated_key", words, "Remove one of them", *path)
    if not check_bounds(raw, report):
        return None
    repaired = without_unknown_keys(raw, report)
    similar_names(report)
    manifest: Manifest | None = None
    try:
        manifest = Manifest.model_validate(repaired)
    except ValidationError as cause:
        for details in cause.errors(include_url=False, include_context=False):
            add_error(details, report)
    # What is valid is judged further even where something else is not, so that one pass says all.
    check_contents(valid_fields(repaired) if manifest is None else fields_of(manifest), report)
    return manifest
