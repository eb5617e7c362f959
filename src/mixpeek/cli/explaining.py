"""`mixpeek plugin lint --explain RULE`: what a rule is about, why, and code that breaks it or does not."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from mixpeek.cli.output import Output
from mixpeek.errors import InvalidRequest
from mixpeek.inspection.rules import KNOWN


def explain(name: str, output: Output) -> None:
    """Print a rule's page; raise InvalidRequest for one that does not exist."""
    rule = KNOWN.get(name) or KNOWN.get(name.upper())
    if rule is None:
        near = get_close_matches(name, KNOWN, n=1, cutoff=0.5)
        hint = f"Did you mean `{near[0]}`?" if near else "docs/reference/rules.md lists the rules"
        raise InvalidRequest(f"There is no rule `{name}` with a page of its own", hint=hint)
    output.document(described(rule.name))
    output.show(f"{rule.name} ({rule.severity})", "bold")
    output.show(f"\n{rule.summary}.")
    if rule.why:
        output.show(f"\n{rule.why}")
    output.show(f"\nWhat to do: {rule.hint}.")
    output.show(f"\n{fix_words(rule.name)}")
    if rule.can_be_allowed:
        output.show(f"Where it does not apply: # mixpeek: allow[{rule.name}] and the reason")
    for title, samples in (("Breaks it", rule.offending), ("Does not", rule.harmless)):
        output.show(f"\n{title}:\n", "bold")
        for sample in samples:
            for line in sample.rstrip().split("\n"):
                output.show(f"    {line[:200]}")
            output.show()


def described(name: str) -> dict[str, Any]:
    """Return a rule's page for JSON mode."""
    # Repairs need the manifest's models, which are slow to import.
    from mixpeek.inspection.fixes import can_be_fixed

    rule, is_safe = KNOWN[name], can_be_fixed(name)
    return {
        "rule": rule.name,
        "severity": rule.severity.value,
        "summary": rule.summary,
        "why": rule.why,
        "hint": rule.hint,
        "fix": None if is_safe is None else "safe" if is_safe else "unsafe",
        "can_be_allowed": rule.can_be_allowed,
        "offending": list(rule.offending),
        "harmless": list(rule.harmless),
    }


def fix_words(name: str) -> str:
    """Say whether `--fix` repairs a rule's findings."""
    from mixpeek.inspection.fixes import can_be_fixed

    is_safe = can_be_fixed(name)
    if is_safe is None:
        return "No automatic repair."
    if is_safe:
        return "`--fix` repairs it where that is mechanical."
    return "`--fix --unsafe-fixes` repairs simple forms of it; look at what it did, as results may differ."
