"""A report as JUnit XML, which continuous integration systems show: one test case per check."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.inspection.findings import Finding

# Characters that XML 1.0 cannot say.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, name: str, checks: Iterable[dict[str, Any]], findings: dict[str, list[Finding]]) -> None:
    """Write the checks of one plugin; a failed one has its findings as text. Raise InvalidRequest: no such folder."""
    listed = list(checks)
    failures = sum(check["status"] == "failed" for check in listed)
    skipped = sum(check["status"] == "skipped" for check in listed)
    counts = {"tests": str(len(listed)), "failures": str(failures), "skipped": str(skipped), "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _plain(name), **counts})
    for check in listed:
        case = ElementTree.SubElement(suite, "testcase", {"name": check["name"], "classname": _plain(name)})
        told = findings.get(check["name"], [])
        lines = "\n".join(_line(finding) for finding in told)
        if check["status"] == "failed":
            message = told[0].message if told else check["detail"]
            failure = ElementTree.SubElement(case, "failure", {"message": _plain(message)})
            failure.text = _plain(lines or check["detail"])
        elif check["status"] == "skipped":
            ElementTree.SubElement(case, "skipped", {"message": _plain(check["detail"])})
        elif lines:
            ElementTree.SubElement(case, "system-out").text = _plain(lines)
    try:
        ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as cause:
        raise InvalidRequest(f"`{path}` cannot be written: {cause.strerror}", hint="Pass another file with `--junit`"
                             ) from cause  # fmt: skip


def _line(finding: Finding) -> str:
    place = ":".join(str(part) for part in (finding.path, finding.line, finding.column) if part)
    words = " ".join(word for word in (place, str(finding.severity.value), finding.rule, finding.message) if word)
    return f"{words}\n    {finding.hint}" if finding.hint else words


def _plain(text: str) -> str:
    return _UNSAYABLE.sub("?", text)
