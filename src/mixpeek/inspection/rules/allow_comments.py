"""What the scan says about comments that allow a finding: `# mixpeek: allow[security.open] reason`."""

from __future__ import annotations

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.rules.base import Rule

_RIGHT = "open(path)  # mixpeek: allow[security.open] a file of the model, by its configured path"


def _about_comments(name: str, summary: str, hint: str, offending: str) -> Rule:
    return Rule(name, Severity.WARNING, summary, hint, (offending,), (_RIGHT,), can_be_allowed=False)


NO_REASON = _about_comments(
    "allow.no_reason",
    "A comment that allows a rule says why",
    "Write the reason after the bracket: `# mixpeek: allow[security.open] why`",
    "open(path)  # mixpeek: allow[security.open]",
)
UNKNOWN_RULE = _about_comments(
    "allow.unknown_rule",
    "A comment allows a rule that does not exist",
    "Write the rule as the finding names it",
    "open(path)  # mixpeek: allow[security.opn] a file of the model",
)
NOT_PERMITTED = _about_comments(
    "allow.not_permitted",
    "A comment allows a rule that no comment can allow",
    "Delete the comment and repair what the rule found",
    "eval('1')  # mixpeek: allow[security.eval] it is only a number",
)
UNUSED = _about_comments(
    "allow.unused",
    "A comment allows a rule that finds nothing there",
    "Delete the comment",
    "x = 1  # mixpeek: allow[security.open] a file of the model",
)

RULES = (NO_REASON, UNKNOWN_RULE, NOT_PERMITTED, UNUSED)
