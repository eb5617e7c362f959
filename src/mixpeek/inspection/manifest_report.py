"""The findings about one manifest, each put at the place in manifest.py where its value stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from mixpeek.inspection.findings import Finding, Severity, in_order
from mixpeek.inspection.manifest_source import ManifestSource

PATH = "manifest.py"
MAX_FINDINGS = 200
_MAX_PART = 80

Path = tuple[str | int, ...]


@dataclass
class ManifestReport:
    """Gathers findings by the path of the value they are about, as in ``("features", 0, "embedding_dim")``.

    ``unread`` are paths whose values only a run would show; nothing is said about them or about what holds them.
    """

    source: ManifestSource
    unread: tuple[Path, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    def add(self, rule: str, message: str, hint: str, *path: str | int, severity: Severity = Severity.ERROR) -> None:
        """Add a finding, unless it is about something that was not read."""
        if self._is_unread(path):
            return
        line, column = self.source.place(*path) or (None, None)
        finding = Finding(rule=rule, severity=severity, message=message, hint=hint, path=PATH, line=line, column=column)
        self.findings.append(finding)

    def warn(self, rule: str, message: str, hint: str, *path: str | int) -> None:
        """Add a warning."""
        self.add(rule, message, hint, *path, severity=Severity.WARNING)

    def in_order(self) -> list[Finding]:
        """Return the findings by line, without repeats; after very many, one that says how many more there are."""
        found = in_order(self.findings)
        if len(found) <= MAX_FINDINGS:
            return found
        # Errors first: what is cut off must not be what refuses the plugin.
        kept = sorted(found, key=lambda finding: not finding.is_error)[:MAX_FINDINGS]
        self.findings = kept
        self.add(
            "manifest.more_findings",
            f"{len(found) - len(kept)} more findings about the manifest are not shown",
            "Repair those that are, then check again",
        )
        return in_order(self.findings)

    def is_partly_unread(self, field: str | int) -> bool:
        """Tell whether some part of a field was not read."""
        return any(unread[0] == field for unread in self.unread if unread)

    def _is_unread(self, path: Path) -> bool:
        return any(path[: len(unread)] == unread or unread[: len(path)] == path for unread in self.unread)


def dotted(*path: str | int) -> str:
    """Return a path as an author writes it: `features[0].embedding_dim`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:_MAX_PART]}" for part in path)
    return text.removeprefix(".") or "manifest"
