"""Turns what went wrong in a host into a finding at the author's own line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixpeek.errors import PluginCrashed, PluginError, PluginTimedOut
from mixpeek.inspection.findings import Finding, Severity

_MISSING_MODULE = "ModuleNotFoundError"


def finding_from_failure(failure: PluginError, rule: str, path: str, severity: Severity = Severity.ERROR) -> Finding:
    """Return the finding for a plugin's failure, at the innermost of its own frames, else at ``path``."""
    frame = _last_frame(failure.details)
    line = frame.get("line")
    return Finding(
        rule=rule,
        severity=severity,
        message=" ".join(failure.named.split()),
        hint=_hint(failure),
        path=str(frame.get("file") or path),
        line=line if isinstance(line, int) and line > 0 else None,
    )


def _last_frame(details: Mapping[str, Any]) -> Mapping[str, Any]:
    frames = details.get("frames")
    last = frames[-1] if isinstance(frames, list) and frames else None
    return last if isinstance(last, Mapping) else {}


def _hint(failure: PluginError) -> str:
    if failure.details.get("exception") == _MISSING_MODULE:
        if str(_last_frame(failure.details).get("code")).strip().startswith("from ."):
            return "The plugin has no such module: correct its name, and see that its folder has an `__init__.py`"
        return "Name its package in `dependencies` in manifest.py, or import it where it is first used"
    if isinstance(failure, PluginTimedOut):
        return "Load models and read files in the processor, not while the module is imported"
    if isinstance(failure, PluginCrashed):
        return "Run `mixpeek plugin test --verbose` to see what it printed before it ended"
    return failure.hint or "Correct this line, then check again"
