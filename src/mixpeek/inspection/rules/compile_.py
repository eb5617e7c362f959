"""Against code made at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot

# Asking whether something is of these types is fine; making one is not.
_TYPES = frozenset({"types.FunctionType", "types.LambdaType", "types.CodeType"})


def _check(module: Module) -> Iterator[Spot]:
    for call in module.reading.calls:
        made = next((name for name in call.functions if name in _TYPES), None)
        if made is not None:
            yield call.node, f"`{made}` makes code at run time, which cannot be checked"
    if b"lambda" not in module.source:
        return
    for node, scope in module.reading.scoped.expressions:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Call) and node.func.args:
            is_type = module.reading.name_of(node.func.func, scope) == "builtins.type"
            if is_type and isinstance(node.func.args[0], ast.Lambda):
                yield node, "The type of a function makes code at run time, which cannot be checked"


RULE = Rule(
    "security.compile",
    Severity.WARNING,
    "`compile`, `code`, `runpy`, `types.FunctionType(...)` and `types.CodeType(...)` make code at run time",
    "Write the code out, or use `ast.literal_eval` or `json.loads` for values",
    offending=(
        "compile('1', 'f', 'eval')",
        "import runpy\nrunpy.run_path('other.txt')",
        "from types import FunctionType as F\nF(code, {})",
        "type(lambda: 0)(code, {})",
        "from code import InteractiveInterpreter",
    ),
    harmless=(
        "import re\nre.compile('a+')",
        "model.compile(optimizer)\ntorch.compile(model)",
        "import types\nisinstance(f, types.FunctionType)",
        "code = 3\ncode.bit_length()",
    ),
    things=frozenset({"builtins.compile", "code", "codeop", "runpy", "py_compile", "compileall"}),
    reason="makes code at run time, which cannot be checked",
    check=_check,
)
