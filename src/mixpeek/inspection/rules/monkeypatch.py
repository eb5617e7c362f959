"""Against changing modules and classes of others by assignment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot
from mixpeek.inspection.scopes import Defined, Scope

# The platform's own packages, which every plugin of a namespace could be made to see changed.
_PLATFORM = frozenset({"mixpeek", "engine", "shared"})
# Attributes that exist to be set, or that are the process's own state.
_SETTINGS = frozenset({"sys.stdout", "sys.stderr", "sys.stdin", "sys.argv", "os.environ", "sys.path"})


def _check(module: Module) -> Iterator[Spot]:
    for target, value, scope in module.reading.scoped.stores:
        for dotted, _ in module.reading.meanings(target.value, scope):
            owner = dotted.removesuffix(".__dict__")
            if isinstance(target, ast.Attribute):
                changed = f"{owner}.{target.attr}"
                is_settings = changed in _SETTINGS
            else:
                changed, is_settings = owner, not (dotted.endswith(".__dict__") or owner in ("builtins", "sys.modules"))
            if not is_settings and (_is_ours(owner) or _is_function(value, scope)):
                yield target, f"`{changed}` is changed for all code in the process"
                break


def _is_ours(owner: str) -> bool:
    root = owner.partition(".")[0]
    return root in _PLATFORM or root in sys.stdlib_module_names


def _is_function(value: ast.expr | None, scope: Scope) -> bool:
    if isinstance(value, ast.Lambda):
        return True
    home = scope.home(value.id) if isinstance(value, ast.Name) else None
    return (
        home is not None
        and isinstance(value, ast.Name)
        and any(isinstance(one, Defined) for one in home.bindings[value.id])
    )


RULE = Rule(
    "security.monkeypatch",
    Severity.WARNING,
    "Assigning to attributes of imported modules changes them for all code in the process",
    "Wrap the function in one of your own and call that",
    offending=(
        "import os\nos.getcwd = work",
        "import requests\nrequests.get = lambda url: None",
        "import sys\nsys.modules['json'] = fake",
        "import builtins\ndel builtins.print",
    ),
    harmless=(
        "import os\nos.environ['HF_HUB_OFFLINE'] = '1'",
        "import torch\ntorch.backends.cudnn.benchmark = True",
        "import openai\nopenai.api_key = key",
        "self.os = 3",
    ),
    check=_check,
)
