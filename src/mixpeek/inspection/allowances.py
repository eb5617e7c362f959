"""Comments that allow a finding, `# mixpeek: allow[security.open] reason`, and what is wrong with them.

A comment counts for its own line; one that stands alone counts for the next line of code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from mixpeek.inspection.findings import Finding
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.allow_comments import NO_REASON, NOT_PERMITTED, UNKNOWN_RULE, UNUSED
from mixpeek.inspection.rules.base import Rule

_MARK = b"mixpeek:"
_COMMENT = re.compile(r"#[#\s]*mixpeek:\s*allow\s*\[([^\]]*)\]\s*(.*)", re.DOTALL)
_MAX_COMMENTS = 1_000


@dataclass
class _Allowance:
    """One rule that one comment allows on some lines."""

    rule: str
    line: int
    lines: frozenset[int]
    reason: str
    used: bool = field(default=False)


def allowed(module: Module, findings: list[Finding], rules: Mapping[str, Rule]) -> list[Finding]:
    """Return the findings without those that a comment allows, and with those about the comments themselves."""
    if _MARK not in module.source:
        return findings
    allowances = list(_allowances(module))
    valid = [one for one in allowances if one.reason and (rule := rules.get(one.rule)) and rule.can_be_allowed]
    by_place: dict[tuple[str, int], list[_Allowance]] = {}
    for one in valid:
        for line in one.lines:
            by_place.setdefault((one.rule, line), []).append(one)
    kept = []
    for finding in findings:
        matching = by_place.get((finding.rule, finding.line or 0), [])
        for one in matching:
            one.used = True
        if not matching:
            kept.append(finding)
    return kept + [finding for one in allowances for finding in _faults(module, one, rules)]


def _faults(module: Module, one: _Allowance, rules: Mapping[str, Rule]) -> Iterator[Finding]:
    place = ast.Pass(lineno=one.line, col_offset=0)
    if one.rule not in rules:
        near = get_close_matches(one.rule, rules, n=1)
        suggestion = f"; did you mean `{near[0]}`?" if near else ""
        yield UNKNOWN_RULE.finding(module, place, f"There is no rule `{one.rule}`{suggestion}")
    elif not rules[one.rule].can_be_allowed:
        yield NOT_PERMITTED.finding(module, place, f"No comment can allow `{one.rule}`")
    elif not one.reason:
        yield NO_REASON.finding(module, place, f"The comment does not say why it allows `{one.rule}`")
    elif not one.used:
        yield UNUSED.finding(module, place, f"`{one.rule}` finds nothing here, so there is nothing to allow")


def _allowances(module: Module) -> Iterator[_Allowance]:
    waiting: list[tuple[int, re.Match[str]]] = []
    last_alone = 0
    count = 0
    for line, stands_alone, text in module.comments():
        if waiting and line != last_alone + 1:
            yield from _made(waiting, last_alone + 1)
            waiting = []
        found = _COMMENT.match(text)
        if stands_alone:
            last_alone = line
            if found:
                waiting.append((line, found))
        else:
            if waiting:
                yield from _made(waiting, line)
                waiting = []
            if found:
                yield from _made([(line, found)], line)
        count += found is not None
        if count > _MAX_COMMENTS:
            return
    yield from _made(waiting, last_alone + 1)


def _made(comments: list[tuple[int, re.Match[str]]], code_line: int) -> Iterator[_Allowance]:
    for line, found in comments:
        for name in found[1].split(","):
            yield _Allowance(name.strip(), line, frozenset({line, code_line}), found[2].strip(" -:\t"))
