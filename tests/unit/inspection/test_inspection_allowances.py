"""Comments that allow a finding, and the severities an operator chooses."""

from __future__ import annotations

from textwrap import dedent

import pytest

from mixpeek.inspection.findings import Finding, Severity
from mixpeek.inspection.scan import scan_source
from mixpeek.inspection.severities import RulesInvalid, overrides_from

REASON = "# mixpeek: allow[security.open] the model's own file"


def found(code: str, rules: str = "") -> list[Finding]:
    return scan_source("core.py", dedent(code).encode(), overrides=overrides_from(rules))


def names(code: str) -> list[str]:
    return [finding.rule for finding in found(code)]


@pytest.mark.parametrize(
    "code",
    [
        f"open(path)  {REASON}",
        f"{REASON}\nopen(path)",
        f"{REASON}\n# another comment\nopen(path)",
        f"def f():\n    {REASON}\n    return open(path)",
        "# mixpeek: allow[security.open, security.setattr] both are the model's own\nsetattr(m, n, open(path))",
        "# mixpeek: allow[security.open] one\n# mixpeek: allow[security.setattr] two\nsetattr(m, n, open(path))",
    ],
)
def test_a_comment_with_a_reason_allows_its_own_or_the_next_line(code: str) -> None:
    assert names(code) == []


@pytest.mark.parametrize(
    "code",
    [
        f"{REASON}\n\nopen(path)",
        f"x = 1  {REASON}\nopen(path)",
        f"open(path)\n{REASON}",
    ],
)
def test_a_comment_elsewhere_allows_nothing_and_is_said_to_be_unused(code: str) -> None:
    assert sorted(names(code)) == ["allow.unused", "security.open"]


def test_a_string_is_no_comment() -> None:
    assert names('text = "# mixpeek: allow[security.open] why"; open(path)') == ["security.open"]


def test_what_the_contract_forbids_no_comment_allows() -> None:
    code = "import os\nos.system('ls')  # mixpeek: allow[security.os_system] it only lists"

    assert {finding.rule: finding.severity for finding in found(code)} == {
        "security.os_system": Severity.ERROR,
        "allow.not_permitted": Severity.WARNING,
    }


def test_an_unknown_rule_gets_a_suggestion() -> None:
    (unknown,) = [one for one in found("open(p)  # mixpeek: allow[security.opn] why") if one.rule != "security.open"]

    assert unknown.rule == "allow.unknown_rule"
    assert "did you mean `security.open`?" in unknown.message


def test_overrides_raise_lower_and_turn_off() -> None:
    code = "open(path)\nimport threading\nthreading.Thread()\neval('1')\n"

    findings = found(code, "security.open=error, security.threading=off,security.eval=warning")

    assert [(one.rule, one.severity.value) for one in findings] == [
        ("security.open", "error"),
        ("security.eval", "warning"),
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("security.threding=off", "'security.threding', which does not exist", "Did you mean `security.threading`?"),
        ("security.threading=of", "to 'of'", "Did you mean `security.threading=off`?"),
        ("security.threading", "to ''", "Write error, warning or off"),
        ("code.syntax=off", "which cannot be set", "could not be checked at all"),
        ("=off", "''", "rules.md"),
    ],
)
def test_overrides_that_cannot_be_meant_are_refused_with_a_suggestion(text: str, message: str, hint: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        overrides_from(text)

    assert message in refused.value.message
    assert hint in (refused.value.hint or "")


def test_no_setting_overrides_nothing() -> None:
    assert dict(overrides_from("")) == dict(overrides_from(" , ")) == {}
