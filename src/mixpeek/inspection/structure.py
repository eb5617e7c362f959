"""The files a plugin must have, and the ones that would get in the way; reads names and syntax only."""

from __future__ import annotations

import ast
from pathlib import Path

from mixpeek.inspection.findings import Finding, error, in_order
from mixpeek.inspection.modules import read_module

# Imports of these reach the platform's packages, so a plugin's own folder of that name would never be found.
_DOORS = ("engine", "shared", "mixpeek")
_REQUIRED = {
    "manifest.py": "It declares the name, version, schemas and features",
    "pipeline.py": "It defines `build_steps`, which returns the processing steps",
}


def check_structure(root: Path) -> list[Finding]:
    """Return what is missing from the plugin's folder, or hidden by the platform's own packages."""
    names = {path.name for path in root.iterdir()}
    findings = [_missing(root, name, why) for name, why in _REQUIRED.items() if not (root / name).is_file()]
    for door in _DOORS:
        taken = next((name for name in (door, f"{door}.py") if name in names), None)
        if taken is not None:
            findings.append(
                error(
                    "structure.reserved_folder",
                    f"`{taken}` is hidden by the platform's own package `{door}`",
                    path=taken,
                    hint="Give it another name",
                )
            )
    if "pipeline.py" in names and not _defines(root, "pipeline.py", "build_steps"):
        findings.append(
            error(
                "structure.no_build_steps",
                "pipeline.py has no function `build_steps`",
                path="pipeline.py",
                hint="Define `def build_steps(extractor_request, **kwargs)` at the top level",
            )
        )
    return in_order(findings)


def _missing(root: Path, name: str, why: str) -> Finding:
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py") if path.name.lower() == name)
    hint = f"Move `{found[0]}` to the top of the plugin's folder" if found else f"Add it. {why}"
    return error("structure.missing_file", f"`{name}` is missing", path=name, hint=hint)


def _defines(root: Path, path: str, name: str) -> bool:
    module = read_module(root, path)
    if isinstance(module, Finding):
        return True  # the scan says what is wrong with the file
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, ast.alias) and name in (node.asname, node.name):
            return True
        if isinstance(node, ast.alias) and node.name == "*":
            return True
    return False
