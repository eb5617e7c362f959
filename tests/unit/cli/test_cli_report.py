"""How findings are put to checks."""

from __future__ import annotations

import pytest

from mixpeek.cli.output import Output
from mixpeek.cli.report import Report
from mixpeek.examination.examination import Examination
from mixpeek.inspection.findings import error, warning


def examination(*rules: str, severity=error) -> Examination:
    findings = tuple(severity(rule, "m", hint="h") for rule in rules)
    return Examination(findings, None, None, (), "0", (), "p")


@pytest.mark.parametrize("rule", ["structure.x", "security.x", "manifest.x", "host.start", "realtime.x", "new.kind"])
def test_an_error_of_any_rule_fails_the_report_and_is_kept(rule: str) -> None:
    report = Report(Output(json_mode=True))

    report.add_examination(examination(rule))

    assert report.failed
    assert [finding.rule for finding in report.findings] == [rule]


def test_a_warning_fails_nothing() -> None:
    report = Report(Output(json_mode=True))

    report.add_examination(examination("security.x", "code.y", severity=warning))

    assert not report.failed
    assert len(report.document()["findings"]) == 2
