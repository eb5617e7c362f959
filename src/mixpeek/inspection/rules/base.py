"""What a rule is, and the two shapes rules have: a list of names that plugins must not touch, or a check of its own."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from mixpeek.inspection.edits import Edit
from mixpeek.inspection.findings import Finding, Severity
from mixpeek.inspection.modules import Module

Spot = tuple[ast.AST, str]
"""Where a rule sees something, and the message that says what."""

Check = Callable[[Module], Iterable[Spot]]

Fixer = Callable[[Module, ast.AST], list[Edit]]
"""Returns the edits that repair what a rule sees at a node, none where that takes thought."""


@dataclass(frozen=True)
class Rule:
    """One thing that plugin code must not do, or had better not.

    ``things`` are full names (`os.system`, or a whole module such as `socket`, with all inside it); ``reason``
    completes the sentence that starts with a thing's name. ``check`` sees what names alone do not tell.
    ``can_be_allowed`` says whether a comment in the plugin's code may allow it; ``is_fixed``, that settings may not
    turn it off. ``offending`` and ``harmless`` are modules that break the rule, and that only look as if they did.
    ``sample_path`` is the name of the file that the samples are the content of, ``sample_beside`` what stands beside
    it. ``why`` is what the rule is for, with what was measured; ``fix`` repairs what it finds, and ``fix_is_safe`` says
    that code means the same afterwards.
    """

    name: str
    severity: Severity
    summary: str
    hint: str
    offending: tuple[str, ...]
    harmless: tuple[str, ...]
    things: frozenset[str] = frozenset()
    reason: str = ""
    check: Check | None = None
    can_be_allowed: bool = True
    is_fixed: bool = False
    sample_path: str = "core.py"
    sample_beside: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    fix: Fixer | None = None
    fix_is_safe: bool = False

    def finding(self, module: Module, node: ast.AST, message: str) -> Finding:
        """Return the finding of this rule at a place in a module."""
        line, column = module.position(node)
        return Finding(
            rule=self.name,
            severity=self.severity,
            message=message,
            hint=self.hint,
            path=module.path,
            line=line,
            column=column,
        )


def forbid(
    name: str,
    things: Iterable[str],
    *,
    summary: str,
    reason: str,
    hint: str,
    offending: Iterable[str],
    harmless: Iterable[str],
    severity: Severity = Severity.WARNING,
    can_be_allowed: bool = True,
) -> Rule:
    """Return a rule against the named things and all inside them."""
    return Rule(
        name=name,
        severity=severity,
        summary=summary,
        hint=hint,
        offending=tuple(offending),
        harmless=tuple(harmless),
        things=frozenset(things),
        reason=reason,
        can_be_allowed=can_be_allowed,
    )


class RuleSet:
    """Applies many rules to a module at once: each name in it is looked up once, not once for every rule."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._checks = [rule for rule in self.rules if rule.check is not None]
        self._of: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for thing in rule.things:
                self._of.setdefault(thing, []).append(rule)
        self._covering = lru_cache(maxsize=50_000)(self._find_covering)

    def findings(self, module: Module) -> list[Finding]:
        """Return what the rules find in one module."""
        found: list[Finding] = []
        seen: set[tuple[str, int, int]] = set()

        def add(rule: Rule, node: ast.AST, message: str) -> None:
            # A name and the call of it, or `a.b` and `a.b.c`, are one thing to repair.
            place = (rule.name, getattr(node, "lineno", 1), getattr(node, "col_offset", 0))
            if place not in seen:
                seen.add(place)
                found.append(rule.finding(module, node, message))

        for dotted, references in module.reading.references.items():
            for rule, thing in self._covering(dotted):
                message = f"`{thing.removeprefix('builtins.')}` {rule.reason}"
                for reference in references:
                    # What an import or assignment took by name was reported there.
                    if reference.bound is None or not self._covers(rule, reference.bound):
                        add(rule, reference.node, message)
        for rule in self._checks:
            for node, message in rule.check(module) if rule.check else ():
                add(rule, node, message)
        return found

    def _covers(self, rule: Rule, dotted: str) -> bool:
        return any(rule is other for other, _ in self._covering(dotted))

    def _find_covering(self, dotted: str) -> tuple[tuple[Rule, str], ...]:
        """Return the rules against ``dotted`` or a prefix of it in whole parts, each with the forbidden name."""
        found: list[tuple[Rule, str]] = []
        while dotted:
            found += [(rule, dotted) for rule in self._of.get(dotted, ())]
            dotted = dotted.rpartition(".")[0]
        return tuple(found)
