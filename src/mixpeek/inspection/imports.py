"""Which libraries a plugin imports, as its files say; nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

from mixpeek.inspection.modules import MAX_SOURCE_BYTES

_MOST = 100


def list_imports(root: Path) -> tuple[str, ...]:
    """Return the modules that are imported at the top level of any file, but for the plugin's own, in order."""
    own = {path.stem for path in root.iterdir()} | {root.name}
    found: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        if path.stat().st_size > MAX_SOURCE_BYTES:
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # the scan says so
        found.update(name for node in tree.body for name in _names(node) if name.partition(".")[0] not in own)
    return tuple(sorted(found)[:_MOST])


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module]
    return []
