"""The report of one examination: its checks in order, their findings, and the document JSON mode prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mixpeek.cli.output import Output
from mixpeek.inspection.findings import Finding, has_errors, in_order

if TYPE_CHECKING:
    from mixpeek.examination.examination import Examination

# Which check a finding belongs to, by the first word of its rule, in the order in which an examination proceeds.
_CHECKS = {
    "Structure": ("structure", "archive", "code"),
    "Security scan": ("security", "allow"),
    "Lint": ("SEQ001", "SEQ002", "SEQ003", "rows", "model"),
    "Schemas": ("manifest", "host"),
    "Dependencies": ("dependencies",),
    "Realtime": ("realtime",),
    "Pipeline": ("pipeline",),
    "Secrets": ("secret",),
}
# Said where there is something to say; of the last, `say_if_no_secrets` says that there are none.
_UNSAID = frozenset({"Lint", "Realtime", "Secrets"})
# Takes every finding that no other check claims, so that none is ever left out.
_LAST = "Pipeline"
# These need nothing to be run.
_ALWAYS = frozenset({"Structure", "Security scan"})


@dataclass
class Report:
    """Prints each check as it ends, and remembers it; under `strict` a warning fails its check."""

    output: Output
    strict: bool = False
    checks: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    findings_of: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Tell whether a check has failed."""
        return any(check["status"] == "failed" for check in self.checks)

    def add(self, name: str, detail: str = "", findings: Iterable[Finding] = (), *, status: str | None = None) -> None:
        """Record and print one check; without `status` its findings decide: an error fails it, a warning does not."""
        found = in_order(findings)
        if status is None:
            status = "failed" if has_errors(found) else "warned" if found else "passed"
        if status == "warned" and self.strict:
            status = "failed"
        self.checks.append({"name": name, "status": status, "detail": detail})
        self.findings += found
        self.findings_of.setdefault(name, []).extend(found)
        self.output.check(name, status, detail)
        self.output.findings(finding.wire() for finding in found)

    def add_refused_archive(self, findings: Iterable[Finding]) -> None:
        """Record that the folder cannot be packed, or its archive not be read."""
        self.add("Structure", findings=findings)

    def add_examination(self, examination: Examination, *, unreached: str = "not reached") -> None:
        """Record the checks of an examination; `unreached` is said of those that it did not come to."""
        size_bytes = sum(file.size_bytes for file in examination.files)
        details = {"Structure": f"{len(examination.files)} files, {size_text(size_bytes)}"}
        if examination.manifest is not None:
            manifest = examination.manifest
            details["Schemas"] = f"{manifest.feature_extractor_name} {manifest.version}"
            details["Dependencies"] = f"{len(manifest.dependencies)} declared" if manifest.dependencies else "none"
        if examination.steps:
            details["Pipeline"] = ", ".join(step.name for step in examination.steps)
        if examination.realtime is not None:
            details["Realtime"] = "realtime.py"
        for name, found in _by_check(examination.findings).items():
            # What the text of manifest.py shows is said even where nothing was run.
            if found or name in details or name in _ALWAYS:
                self.add(name, details.get(name, ""), found)
            elif name not in _UNSAID:
                self.add(name, unreached, status="skipped")

    def say_if_no_secrets(self) -> None:
        """Say that no likely secrets are among the files that would be sent, if the examination found none."""
        if not any(check["name"] == "Secrets" for check in self.checks):
            self.add("Secrets", "none found")

    def document(self, **more: Any) -> dict[str, Any]:
        """Return what JSON mode prints; findings in the order in which the server sends them."""
        return {
            "success": not self.failed,
            **more,
            "checks": self.checks,
            "findings": [finding.wire() for finding in in_order(self.findings)],
        }


def _by_check(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    check_of = {prefix: name for name, prefixes in _CHECKS.items() for prefix in prefixes}
    grouped: dict[str, list[Finding]] = {name: [] for name in _CHECKS}
    for finding in findings:
        grouped[check_of.get(finding.rule.partition(".")[0], _LAST)].append(finding)
    return grouped


def describe(examination: Examination) -> dict[str, Any]:
    """Return what an examination learned about a plugin, for JSON mode."""
    manifest = examination.manifest
    return {
        "name": manifest and manifest.feature_extractor_name,
        "version": manifest and manifest.version,
        "features": [feature.uri(manifest) for feature in manifest.features] if manifest else [],
        "realtime": examination.realtime,
        "code_hash": examination.code_hash,
    }


def size_text(size_bytes: int) -> str:
    """Return a size in words."""
    return f"{size_bytes:,} bytes" if size_bytes < 10_000 else f"{size_bytes / 1000:,.0f} kB"
