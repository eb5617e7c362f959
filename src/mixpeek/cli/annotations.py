"""Findings as commands of a GitHub Actions log, which shows them beside the lines of a pull request."""

from __future__ import annotations

import os
from pathlib import Path

from mixpeek.inspection.findings import Finding


def annotation(finding: Finding, folder: Path) -> str:
    """Return one finding as a workflow command; ``folder`` is the plugin's, as seen from where the command runs."""
    facts: dict[str, object] = {}
    if finding.path:
        # GitHub wants paths from the root of the repository, which is where its steps run.
        facts["file"] = Path(os.path.relpath(folder / finding.path)).as_posix()
    facts |= {"line": finding.line, "col": finding.column, "title": finding.rule}
    given = ",".join(f"{name}={_property(str(value))}" for name, value in facts.items() if value is not None)
    level = "error" if finding.is_error else "warning"
    return f"::{level} {given}::{_data(f'{finding.message}. {finding.hint}')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
