"""Against `__import__`."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.dunder_import",
    (
        "builtins.__import__",
        "importlib.__import__",
        "importlib._bootstrap._gcd_import",
        "importlib._bootstrap.__import__",
    ),
    summary="`__import__` imports what cannot be known beforehand",
    reason="imports what cannot be known beforehand",
    hint="Import by name: `import package`, inside a function if it must wait",
    offending=(
        "__import__('json')",
        "load = __import__",
        "import importlib\nimportlib.__import__('json')",
    ),
    harmless=(
        "text = '__import__'",
        "import json",
        "import importlib\nimportlib.import_module('json')",
    ),
    severity=Severity.ERROR,
    can_be_allowed=False,
)
