"""Against `eval`."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.eval",
    ("builtins.eval",),
    summary="`eval` runs text as code",
    reason="runs text as code, which plugins must not",
    hint="Write the code out, or use `ast.literal_eval` or `json.loads` for values",
    offending=(
        "eval('1 + 1')",
        "import builtins\nbuiltins.eval('1')",
        "__builtins__['eval']('1')",
        "class Model:\n    def eval(self):\n        return eval('1')",
    ),
    harmless=(
        "model.eval()",
        "import pandas as pd\npd.eval('1 + 1')\nframe.eval('a + b')",
        "import ast\nast.literal_eval('1')",
        "def eval(x):\n    return x\n\neval(1)",
        "# eval('1')\ntext = 'eval(1)'",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
