"""What an operator makes of the rules: `security.threading=off,security.pickle=error`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import ClassVar, Literal

from mixpeek.errors import PlatformError
from mixpeek.inspection.findings import Finding, Severity
from mixpeek.inspection.rules import KNOWN

Overrides = Mapping[str, Severity | Literal["off"]]
"""The severity of each rule that does not have its own."""

NO_OVERRIDES: Overrides = MappingProxyType({})
VARIABLE = "MIXPEEK_RULES"
_CHOICES: dict[str, Severity | Literal["off"]] = {"error": Severity.ERROR, "warning": Severity.WARNING, "off": "off"}


class RulesInvalid(PlatformError):
    """The setting `MIXPEEK_RULES` names a rule or a severity that does not exist."""

    code: ClassVar[str] = "inspection.rules_invalid"


def overrides_from(text: str) -> Overrides:
    """Return the overrides in a text such as ``security.threading=off,security.pickle=error``.

    Raises: RulesInvalid: a part cannot be read, or names no rule or no severity.
    """
    found: dict[str, Severity | Literal["off"]] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        name, sign, value = (one.strip() for one in part.partition("="))
        if name not in KNOWN:
            near = get_close_matches(name, KNOWN, n=1)
            raise RulesInvalid(
                f"{VARIABLE} names the rule {name!r}, which does not exist",
                hint=f"Did you mean `{near[0]}`?" if near else "docs/reference/rules.md lists the rules",
            )
        if not sign or value not in _CHOICES:
            near = get_close_matches(value, _CHOICES, n=1)
            raise RulesInvalid(
                f"{VARIABLE} sets {name} to {value!r}",
                hint=f"Did you mean `{name}={near[0]}`?" if near else "Write error, warning or off",
            )
        if KNOWN[name].is_fixed:
            raise RulesInvalid(
                f"{VARIABLE} sets {name}, which cannot be set", hint="A file that it finds could not be checked at all"
            )
        found[name] = _CHOICES[value]
    return found


def overridden(findings: Iterable[Finding], overrides: Overrides) -> list[Finding]:
    """Return the findings with the severities that the overrides give them, without those turned off."""
    found = []
    for finding in findings:
        severity = overrides.get(finding.rule, finding.severity)
        if severity != "off":
            found.append(finding if severity is finding.severity else replace(finding, severity=Severity(severity)))
    return found
