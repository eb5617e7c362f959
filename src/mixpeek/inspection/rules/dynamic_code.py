"""Rules against code made from text while the plugin runs."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

_HINT = "Write the code out, or use `ast.literal_eval` or `json.loads` for values"

RULES = (
    forbid(
        "security.eval",
        ("builtins.eval",),
        summary="`eval` runs text as code",
        reason="runs text as code, which plugins must not",
        hint=_HINT,
    ),
    forbid(
        "security.exec",
        ("builtins.exec",),
        summary="`exec` runs text as code",
        reason="runs text as code, which plugins must not",
        hint=_HINT,
    ),
    forbid(
        "security.compile",
        ("builtins.compile", "code.InteractiveInterpreter", "code.InteractiveConsole", "runpy", "types.FunctionType"),
        summary="`compile`, `runpy` and `types.FunctionType` make code at run time",
        reason="makes code at run time, which cannot be checked",
        hint=_HINT,
        severity=Severity.WARNING,
    ),
)
