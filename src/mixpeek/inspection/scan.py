"""Runs every rule over every Python file of a plugin.

Feedback for authors; what holds plugin code back when it runs is the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mixpeek.inspection.findings import Finding, in_order, warning
from mixpeek.inspection.modules import Module, parse, read_module
from mixpeek.inspection.rules import RULES
from mixpeek.inspection.rules.base import Rule

_COMPILED = (".so", ".pyd", ".pyc", ".pyo", ".dll", ".dylib")


def scan(root: Path, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Return what the rules find in the plugin's folder, by path and line."""
    chosen = tuple(rules)
    findings: list[Finding] = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.is_symlink() or not file.is_file():
            continue
        if file.suffix in (".py", ".pyw"):
            module = read_module(root, path)
            findings += [module] if isinstance(module, Finding) else _apply(module, chosen)
        elif file.suffix in _COMPILED and "__pycache__" not in file.parts:
            findings.append(
                warning(
                    "code.compiled",
                    "Compiled code cannot be checked",
                    path=path,
                    hint="Ship the source, or declare the package in `dependencies`",
                )
            )
    return in_order(findings)


def scan_source(path: str, source: bytes, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Return what the rules find in one file's bytes, by line."""
    module = parse(path, source)
    return [module] if isinstance(module, Finding) else in_order(_apply(module, tuple(rules)))


def _apply(module: Module, rules: tuple[Rule, ...]) -> list[Finding]:
    return [finding for rule in rules for finding in rule.check(module)]
