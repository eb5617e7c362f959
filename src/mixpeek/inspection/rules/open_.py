"""Against opening files, except those that the plugin brings along."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import Call, argument
from mixpeek.inspection.rules.base import Rule, Spot
from mixpeek.inspection.scopes import Assigned, Scope

_OPENERS = frozenset(
    {"builtins.open", "io.open", "io.open_code", "io.FileIO", "_io.open", "_io.open_code", "_io.FileIO", "codecs.open",
     "os.open", "posix.open", "bz2.open", "gzip.open", "lzma.open", "fileinput.input",
     "fileinput.FileInput", "linecache.getline", "linecache.getlines"}
)  # fmt: skip
_MAX_DEPTH = 6


def _check(module: Module) -> Iterator[Spot]:
    beside = {id(call.node.func) for call in module.reading.calls if _reads_beside_the_plugin(module, call)}
    passed = beside | module.reading.scoped.followed
    for reference in module.reading.references_to(_OPENERS):
        # What an import took by name is reported where it is used: only there can be seen what is opened.
        if isinstance(reference.node, ast.expr) and id(reference.node) not in passed:
            name = reference.dotted.removeprefix("builtins.")
            yield reference.node, f"`{name}` opens files by their path, which the sandbox has few of"


def _reads_beside_the_plugin(module: Module, call: Call) -> bool:
    mode = argument(call.node, 1, "mode")
    reads = mode is None or (isinstance(mode, ast.Constant) and set(str(mode.value)) <= set("rbtU"))
    path = argument(call.node, 0, "file") or argument(call.node, 0, "filename")
    return bool(
        not _OPENERS.isdisjoint(call.functions) and reads and path and _is_beside(module, path, call.scope, _MAX_DEPTH)
    )


def _is_beside(  # noqa: PLR0911 - a case a line
    module: Module, path: ast.expr, scope: Scope, depth: int
) -> bool:
    """Tell whether a path starts at `__file__` or in a package's resources."""
    if isinstance(path, ast.Name):
        if path.id == "__file__":
            return scope.home("__file__") is None
        home = scope.home(path.id)
        bindings = home.bindings[path.id] if home else []
        return (
            depth > 0
            and bool(bindings)
            and all(
                isinstance(one, Assigned) and _is_beside(module, one.value, one.scope, depth - 1) for one in bindings
            )
        )
    if isinstance(path, ast.Attribute | ast.Subscript):
        return _is_beside(module, path.value, scope, depth)
    if isinstance(path, ast.BinOp):
        return _is_beside(module, path.left, scope, depth)
    if isinstance(path, ast.Call):
        name = module.reading.name_of(path.func, scope) or ""
        if name.startswith("importlib.resources."):
            return True
        first = path.args[0] if path.args else None
        called_on = path.func.value if isinstance(path.func, ast.Attribute) and not name else None
        start = called_on if called_on is not None else first
        return start is not None and depth > 0 and _is_beside(module, start, scope, depth - 1)
    return False


RULE = Rule(
    "security.open",
    Severity.WARNING,
    "`open` reaches files by their path; reading one beside the plugin's code is fine",
    "Read inputs with `shared.plugins.open_asset`, and files of the plugin by a path made from `__file__`",
    offending=(
        "open('/etc/hosts')",
        "import io\nio.open(path, 'w')",
        "open(__file__, 'w')",
        "from os import open as o\no(path, 0)",
    ),
    harmless=(
        "from pathlib import Path\nopen(Path(__file__).parent / 'labels.txt')",
        "import os\nHERE = os.path.dirname(__file__)\nwith open(os.path.join(HERE, 'labels.txt'), 'r') as f: ...",
        "from importlib import resources\nopen(resources.files('x') / 'labels.txt')",
        "from PIL import Image\nImage.open(path)",
        "self.open(path)\ntext = 'open(path)'",
        "from shared.plugins import open_asset\nopen_asset(url)",
    ),
    check=_check,
)
