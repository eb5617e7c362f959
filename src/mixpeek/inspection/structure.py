"""The files a plugin must have, and the ones that would get in the way; reads names and syntax only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from mixpeek.inspection.findings import Finding, error, in_order, warning
from mixpeek.inspection.modules import read_module

# Imports of these reach the platform's packages, so a plugin's own folder of that name would never be found.
_DOORS = ("engine", "shared", "mixpeek")
# What every plugin may import undeclared, and what the platform imports with it.
_BASE_PACKAGES = frozenset(
    {"annotated_types", "numpy", "packaging", "pandas", "pyarrow", "pydantic", "pydantic_core", "pytest"}
    | {"pyseccomp", "typing_extensions", "typing_inspection"}
)
_PIPELINE = "pipeline.py"
_REQUIRED = {
    "manifest.py": "It declares the name, version, schemas and features",
    _PIPELINE: "It defines `build_steps`, which returns the processing steps",
}


def check_structure(root: Path) -> list[Finding]:
    """Return what is missing from the plugin's folder, misplaced, or hidden by Python's or the platform's packages."""
    names = {path.name for path in root.iterdir()}
    python = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.suffix.lower() in {".py", ".pyw"}]
    findings = [*_missing(root, python), *_hidden(names), *_shadowing(root, names)]
    if (root / _PIPELINE).is_file() and not _defines(root, _PIPELINE, "build_steps"):
        findings.append(
            error(
                "structure.no_build_steps",
                "pipeline.py has no function `build_steps`",
                path=_PIPELINE,
                hint="Define `def build_steps(extractor_request, **kwargs)` at the top level",
            )
        )
    return in_order(findings)


def _missing(root: Path, python: list[Path]) -> Iterator[Finding]:
    absent = [name for name in _REQUIRED if not (root / name).is_file()]
    if not absent:
        return
    if not python:
        yield error(
            "structure.no_python",
            "The folder holds no Python file",
            hint="Choose the folder in which manifest.py and pipeline.py are",
        )
        return
    below = {path.parent for path in python if path.name in _REQUIRED and path.parent != Path()}
    nested = next(
        (folder for folder in sorted(below) if all((root / folder / name).is_file() for name in absent)), None
    )
    if nested is not None and len(absent) == len(_REQUIRED):
        folder = nested.as_posix()
        yield error(
            "structure.nested",
            f"The plugin's files are in `{folder}`, not at the top of the folder",
            path=folder,
            hint=f"Choose `{folder}` itself, or move its files up",
        )
        return
    for name in absent:
        yield _absent(name, python)


def _absent(name: str, python: list[Path]) -> Finding:
    alike = [path for path in python if path.name.lower() == name]
    beside = next((path for path in alike if path.parent == Path()), None)
    if beside is not None:
        hint = f"Rename `{beside.name}` to `{name}`: capital letters count"
        return error("structure.missing_file", f"`{name}` is missing", path=name, hint=hint)
    hint = f"Move `{alike[0].as_posix()}` to the top of the plugin's folder" if alike else f"Add it. {_REQUIRED[name]}"
    return error("structure.missing_file", f"`{name}` is missing", path=name, hint=hint)


def _hidden(names: set[str]) -> Iterator[Finding]:
    for door in _DOORS:
        taken = next((name for name in (door, f"{door}.py") if name in names), None)
        if taken is not None:
            yield error(
                "structure.reserved_folder",
                f"`{taken}` is hidden by the platform's own package `{door}`",
                path=taken,
                hint="Give it another name",
            )


def _shadowing(root: Path, names: set[str]) -> Iterator[Finding]:
    """Warn of modules that an import without dots can never reach, because Python's or a base package comes first."""
    for name in sorted(names):
        module = name.removesuffix(".py")
        is_module = name.endswith(".py") or any((root / name).glob("*.py"))
        if is_module and (module in sys.stdlib_module_names or module in _BASE_PACKAGES):
            yield warning(
                "structure.shadows_module",
                f"`{name}` has the name of another module: `import {module}` finds that one, never this",
                path=name,
                hint=f"Give it another name, or import it as `from . import {module}` everywhere",
            )


def _defines(root: Path, path: str, name: str) -> bool:
    module = read_module(root, path)
    if isinstance(module, Finding):
        return True  # the scan says what is wrong with the file
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, ast.alias) and name in (node.asname, node.name):
            return True
        if isinstance(node, ast.alias) and node.name == "*":
            return True
    return False
