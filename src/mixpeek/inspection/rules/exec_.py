"""Against `exec`."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.exec",
    ("builtins.exec",),
    summary="`exec` runs text as code",
    reason="runs text as code, which plugins must not",
    hint="Write the code out, or use `ast.literal_eval` or `json.loads` for values",
    offending=(
        "exec('x = 1')",
        "import builtins as b\nvars(b)['exec']('x = 1')",
        "[run('x') for run in (exec,)]",
    ),
    harmless=(
        "cursor.exec('select 1')",
        "class Runner:\n    def exec(self): ...\n\nRunner().exec()",
        "text = 'exec'",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
