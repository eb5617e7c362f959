"""Runs every rule over every Python file of a plugin.

Feedback for authors; what holds plugin code back when it runs is the sandbox.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mixpeek.inspection.allowances import allowed
from mixpeek.inspection.findings import Finding, in_order
from mixpeek.inspection.modules import MAX_SOURCE_BYTES, Module, parse, parse_tree, read_source
from mixpeek.inspection.plugin_facts import NO_FACTS, PluginFacts, read_facts
from mixpeek.inspection.resolution import Owned
from mixpeek.inspection.rules import KNOWN, RULE_SET
from mixpeek.inspection.rules.base import Rule, RuleSet
from mixpeek.inspection.rules.code_files import COMPILED, STARTUP_FILE, TANGLED, TOO_DEEP, TOO_LARGE, TOO_MANY
from mixpeek.inspection.severities import NO_OVERRIDES, Overrides, overridden

MAX_PLUGIN_BYTES = 16 * 1024 * 1024
_MAX_FINDINGS_PER_FILE = 500
# Answers and stored versions hold every finding: 2,000 of them are 1 MB of JSON.
_MAX_FINDINGS = 2000
_SOURCE = (".py", ".pyw")
_MANIFEST = "manifest.py"
_COMPILED = (".so", ".pyd", ".pyc", ".pyo", ".dll", ".dylib", ".pyz", ".egg", ".whl")
_STARTUP = ("sitecustomize", "usercustomize")


def scan(root: Path, rules: Iterable[Rule] | None = None, overrides: Overrides = NO_OVERRIDES) -> list[Finding]:
    """Return what the rules find in the plugin's folder, by path and line."""
    chosen = RULE_SET if rules is None else RuleSet(rules)
    paths = sorted(_files(root))
    modules = frozenset(_dotted(path) for path in paths if path.endswith(_SOURCE))
    findings: list[Finding] = []
    facts = facts_of(root, paths)
    left = MAX_PLUGIN_BYTES
    for path in paths:
        found = list(check_name(path))
        if path.endswith(_SOURCE):
            source = read_source(root, path)
            left -= len(source)
            if left < 0:
                findings.append(_too_large(path))
                break
            found += _scan_file(path, source, chosen, Owned(tuple(path.split("/")[:-1]), modules), facts)
        findings += overridden(found, overrides)
        if len(findings) > _MAX_FINDINGS:
            findings = [*_errors_first(findings)[:_MAX_FINDINGS], _stopped_at(path)]
            break
    return in_order(findings)


def scan_source(
    path: str, source: bytes, rules: Iterable[Rule] | None = None, overrides: Overrides = NO_OVERRIDES
) -> list[Finding]:
    """Return what the rules find in one file's bytes, by line."""
    chosen = RULE_SET if rules is None else RuleSet(rules)
    return in_order(overridden(_scan_file(path, source, chosen, None, NO_FACTS), overrides))


def facts_of(root: Path, paths: Iterable[str]) -> PluginFacts:
    """Return what manifest.py says about the rest of the plugin, nothing if it cannot be read."""
    own = [path for path in paths if path.endswith(_SOURCE) and not path.startswith("tests/")]
    if _MANIFEST not in own:
        return NO_FACTS
    source = read_source(root, _MANIFEST)
    if len(source) > MAX_SOURCE_BYTES:
        return NO_FACTS
    try:
        tree = parse_tree(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NO_FACTS
    return read_facts(tree, lambda: (read_source(root, path) for path in own))


def check_name(path: str) -> Iterator[Finding]:
    """Return what a file's name alone says: compiled code, and files that Python runs when it starts."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(_COMPILED) and "__pycache__" not in path.split("/"):
        yield _about(COMPILED, path, "Compiled code cannot be checked")
    if name.endswith(".pth") or name.partition(".")[0] in _STARTUP or path.partition("/")[0] in _STARTUP:
        yield _about(STARTUP_FILE, path, f"Python runs `{name}` by itself when it starts")


def _scan_file(path: str, source: bytes, rules: RuleSet, owned: Owned | None, facts: PluginFacts) -> list[Finding]:
    with _collecting_later():
        module = parse(path, source, owned, facts)
        if isinstance(module, Finding):
            return [module]
        try:
            return _findings(module, rules)
        except RecursionError:
            return [_about(TOO_DEEP, path, TOO_DEEP.summary)]
        finally:
            module.reading.forget()


def _findings(module: Module, rules: RuleSet) -> list[Finding]:
    findings = allowed(module, rules.findings(module), _known(rules))
    if len(findings) > _MAX_FINDINGS_PER_FILE:
        findings = [
            *_errors_first(findings)[:_MAX_FINDINGS_PER_FILE],
            _about(TOO_MANY, module.path, f"{len(findings)} findings in one file"),
        ]
    return [*findings, *_tangled(module)]


def _errors_first(findings: list[Finding]) -> list[Finding]:
    """Return findings so that no number of warnings can push an error out."""
    return sorted(findings, key=lambda finding: (not finding.is_error, finding.sort_key))


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Keep the garbage collector from looking through a growing syntax tree, which costs as much as parsing does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _known(rules: RuleSet) -> Mapping[str, Rule]:
    return KNOWN if rules is RULE_SET else {**KNOWN, **{rule.name: rule for rule in rules.rules}}


def _tangled(module: Module) -> Iterator[Finding]:
    if not module.reading.is_complete:
        yield _about(TANGLED, module.path, "Names are bound to each other in chains too long to be followed")


def _too_large(path: str) -> Finding:
    return _about(TOO_LARGE, path, f"The plugin's Python is more than {MAX_PLUGIN_BYTES} bytes, too many to check")


def _stopped_at(path: str) -> Finding:
    return _about(TOO_MANY, "", f"More than {_MAX_FINDINGS} findings; the files after `{path}` were not checked")


def _about(rule: Rule, path: str, message: str) -> Finding:
    return Finding(rule=rule.name, severity=rule.severity, message=message, hint=rule.hint, path=path)


def _files(root: Path) -> Iterator[str]:
    """Return the paths of all files below ``root``; links are not followed."""
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink() and file.is_file():
                yield file.relative_to(root).as_posix()


def _dotted(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")
