"""Repairs what rules find where that is mechanical: by edits of the exact bytes at fault, until nothing is left to do.

Works on bytes alone; which files may be written, and whether, is the caller's to decide.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mixpeek.inspection.allowances import allowed
from mixpeek.inspection.edits import Edit, Places, applied
from mixpeek.inspection.findings import Finding
from mixpeek.inspection.manifest import check_manifest_text
from mixpeek.inspection.manifest_report import PATH as MANIFEST
from mixpeek.inspection.manifest_source import ManifestSource
from mixpeek.inspection.modules import Module, encoding_of, parse, parse_tree
from mixpeek.inspection.plugin_facts import NO_FACTS, PluginFacts
from mixpeek.inspection.resolution import Owned
from mixpeek.inspection.rules import KNOWN, RULE_SET, RULES
from mixpeek.inspection.rules.allow_comments import UNUSED
from mixpeek.inspection.rules.base import Rule

# Repairs may make room for others; of well-formed code, none has needed more than three rounds.
_MAX_ROUNDS = 10
UNKNOWN_KEY = "manifest.unknown_key"
# Repaired here, as no rule over code finds them.
SAFE_ELSEWHERE = (UNKNOWN_KEY, UNUSED.name)
_RENAME = re.compile(r"Rename it to `(\w+)`")


@dataclass(frozen=True)
class Fixed:
    """A file's bytes after the repairs, and what was repaired, in the order in which it was."""

    source: bytes
    repaired: tuple[Finding, ...]


@dataclass(frozen=True)
class Fixable:
    """A finding that can be repaired, and the edits that do."""

    finding: Finding
    is_safe: bool
    edits: tuple[Edit, ...]


def can_be_fixed(name: str) -> bool | None:
    """Tell whether the rule's findings can be repaired: True safely, False unsafely, None not at all."""
    if name in SAFE_ELSEWHERE:
        return True
    rule = KNOWN.get(name)
    return rule.fix_is_safe if rule is not None and rule.fix is not None else None


def fixable(path: str, source: bytes, facts: PluginFacts = NO_FACTS, owned: Owned | None = None) -> list[Fixable]:
    """Return the findings in a file that can be repaired; none in one that cannot be read as UTF-8 Python."""
    if encoding_of(source) not in (None, "utf-8", "utf-8-sig"):
        return []
    module = parse(path, source, owned, facts)
    if isinstance(module, Finding):
        return []
    try:
        found = [*_of_rules(module), *_of_comments(module)]
    except RecursionError:
        return []
    finally:
        module.reading.forget()
    return [*found, *_of_manifest(source)] if path == MANIFEST else found


def fixed(
    path: str, source: bytes, facts: PluginFacts = NO_FACTS, *, unsafe: bool = False, owned: Owned | None = None
) -> Fixed:
    """Return the file with its findings repaired, those whose repair may change what the code means if ``unsafe``.

    A repair that would leave something that is not Python is not made, nor any after it.
    """
    repaired: list[Finding] = []
    for _ in range(_MAX_ROUNDS):
        chosen = [one for one in fixable(path, source, facts, owned) if one.is_safe or unsafe]
        made = _first_each_place(chosen)
        if not made:
            break
        changed = applied(source, (edit for one in made for edit in one.edits))
        if changed == source or not _is_python(changed):
            break
        source = changed
        repaired += [one.finding for one in made]
    return Fixed(source, tuple(repaired))


def _first_each_place(chosen: list[Fixable]) -> list[Fixable]:
    """Return the repairs none of which touches what another does; the rest is left for another round."""
    made: list[Fixable] = []
    taken: list[Edit] = []
    for one in chosen:
        others = [edit for edit in one.edits if edit not in taken]
        if all(edit.end <= other.start or other.end <= edit.start for edit in others for other in taken):
            made.append(one)
            taken += others
    return made


def _is_python(source: bytes) -> bool:
    try:
        parse_tree(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _of_rules(module: Module) -> Iterator[Fixable]:
    for rule in RULES:
        for finding, edits in _spots(rule, module):
            # What a comment allows is not to be repaired.
            if edits and allowed(module, [finding], KNOWN)[:1] == [finding]:
                yield Fixable(finding, rule.fix_is_safe, tuple(edits))


def _spots(rule: Rule, module: Module) -> Iterator[tuple[Finding, list[Edit]]]:
    if rule.fix is None or rule.check is None:
        return
    for node, message in rule.check(module):
        yield rule.finding(module, node, message), rule.fix(module, node)


def _of_comments(module: Module) -> Iterator[Fixable]:
    """Take away comments that allow nothing; one that also allows something loses only the rule that it does not."""
    if b"mixpeek:" not in module.source:
        return
    unused: dict[int, list[Finding]] = {}
    for finding in allowed(module, RULE_SET.findings(module), KNOWN):
        if finding.rule == UNUSED.name and finding.line is not None:
            unused.setdefault(finding.line, []).append(finding)
    places, text_lines = Places(module.source), module.text.splitlines(keepends=True)
    for line, alone, comment in module.comments() if unused else ():
        found = unused.get(line, [])
        if not found:
            continue
        names = [name.strip() for name in comment.partition("[")[2].partition("]")[0].split(",")]
        gone = {finding.message.split("`")[1] for finding in found}
        left = [name for name in names if name not in gone]
        start, end = places.line_span(line, line)
        before = text_lines[line - 1].rpartition(comment)[0]
        at = places.offset(line, len(before.encode()))
        if left:
            opened, _, rest = comment.partition("[")
            made = f"{opened}[{', '.join(left)}]{rest.partition(']')[2]}"
            edit = Edit(at, at + len(comment.encode()), made.encode())
        elif alone:
            edit = Edit(start, end, b"")
        else:
            edit = Edit(places.offset(line, len(before.rstrip().encode())), at + len(comment.encode()), b"")
        yield from (Fixable(finding, True, (edit,)) for finding in found)


def _of_manifest(source: bytes) -> Iterator[Fixable]:
    """Rename keys that other dialects use, where they are written out and the right ones are not there too."""
    read = ManifestSource.read(source)
    _, findings = check_manifest_text(read)
    places = Places(source)
    keys: dict[tuple[int, int], tuple[ast.Constant, ast.Dict]] = {}
    for node in ast.walk(read.tree):
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(node, ast.Dict):
                keys[places.span(key)] = (key, node)
    by_start = {start: (end, *found) for (start, end), found in keys.items()}
    for finding in findings:
        meant = _RENAME.search(finding.hint)
        if finding.rule != UNKNOWN_KEY or meant is None or finding.line is None or finding.column is None:
            continue
        start = _offset(source, places, finding)
        if start not in by_start:
            continue
        end, key, within = by_start[start]
        written = source[start:end]
        others = {one.value for one in within.keys if isinstance(one, ast.Constant)}
        quoted = written[:1] in (b'"', b"'") and written == written[:1] + str(key.value).encode() + written[:1]
        if quoted and meant[1] not in others:
            made = written[:1] + meant[1].encode() + written[:1]
            yield Fixable(finding, True, (Edit(start, end, made),))


def _offset(source: bytes, places: Places, finding: Finding) -> int:
    assert finding.line is not None and finding.column is not None
    line = source.splitlines()[finding.line - 1].removeprefix(b"\xef\xbb\xbf")
    before = line.decode("utf-8", "replace")[: finding.column - 1]
    return places.offset(finding.line, len(before.encode()))
