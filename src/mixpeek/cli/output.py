"""Everything the command line prints: results on stdout, talk on stderr, and in JSON mode one document on stdout.

Text that comes from a plugin or a server is escaped here, before it can reach a terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from mixpeek.cli.options import globals_of
from mixpeek.errors import MixpeekError
from mixpeek.inspection.findings import escape

if TYPE_CHECKING:
    from rich.console import Console

_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow"}
_STATUS_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "warned": "yellow"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_STATUS_SIGNS = {"passed": ("✓", "ok"), "failed": ("✗", "FAILED"), "skipped": ("–", "skipped"), "warned": ("!", "!")}


class Output:
    """The two streams of one command.

    Args:
        json_mode: stdout holds one JSON document; checks, findings and talk are part of it or not printed.
        report_on_stdout: checks and findings are the command's result, not talk.
    """

    def __init__(self, json_mode: bool = False, *, verbose: bool = False, report_on_stdout: bool = False) -> None:
        self.json_mode = json_mode
        self.verbose = verbose
        self._report_on_stdout = report_on_stdout

    @cached_property
    def stdout(self) -> Console:
        """The stream for results."""
        return _console(stderr=False)

    @cached_property
    def stderr(self) -> Console:
        """The stream for talk, errors and progress."""
        return _console(stderr=True)

    def say(self, text: str, style: str = "") -> None:
        """Print talk."""
        if not self.json_mode:
            _print(self.stderr, text, style)

    def show(self, text: str = "", style: str = "") -> None:
        """Print a result line."""
        if not self.json_mode:
            _print(self.stdout, text, style)

    def document(self, value: Mapping[str, Any]) -> None:
        """Print the one document of JSON mode."""
        if self.json_mode:
            text = json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False)
            # JSON leaves some characters as they are that steer a terminal, or that no terminal can show.
            sys.stdout.write(_NOT_PLAIN.sub(_json_escape, text) + "\n")
            sys.stdout.flush()

    def record(self, value: Mapping[str, Any]) -> None:
        """Print one of the documents of JSON mode, each on a line, where there is no last one."""
        if self.json_mode:
            text = json.dumps(value, default=str, allow_nan=False)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def line(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line as a result that is JSON in any mode."""
        sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")

    def check(self, name: str, status: str, detail: str = "") -> None:
        """Print how one check ended: passed, failed, warned or skipped."""
        if self.json_mode:
            return
        from rich.text import Text

        console = self._report_stream
        sign = _STATUS_SIGNS[status][0 if _can_print(console, "✓✗–") else 1]
        line = Text(f"{sign} ", _STATUS_STYLES[status]).append(f"{name:<16}", "").append(escape(detail), "dim")
        line.rstrip()
        console.print(line, soft_wrap=True)

    def findings(self, findings: Iterable[Mapping[str, Any]]) -> None:
        """Print findings in their wire form: place, severity, rule and message, then what to do."""
        if self.json_mode:
            return
        from rich.text import Text

        for finding in findings:
            place = ":".join(
                str(finding[key]) for key in ("path", "line", "column") if finding.get(key) not in {None, ""}
            )
            severity = str(finding.get("severity") or "error")
            line = Text("  ").append(escape(f"{place}  " if place else ""), "bold")
            line.append(escape(severity), _SEVERITY_STYLES.get(severity, "")).append("  ")
            line.append(escape(f"{rule}  " if (rule := str(finding.get("rule") or "")) else ""), "dim")
            line.append(escape(str(finding.get("message") or "")))
            self._report_stream.print(line, soft_wrap=True)
            if finding.get("hint"):
                self._report_stream.print(Text("      ").append(escape(str(finding["hint"])), "cyan"), soft_wrap=True)

    def quote(self, text: str) -> None:
        """Print text of a plugin, such as what its tests said, indented and escaped line by line."""
        if self.json_mode:
            return
        from rich.text import Text

        for line in text.rstrip().splitlines():
            self._report_stream.print(Text("    " + escape(line.expandtabs()), "dim"), soft_wrap=True)

    def diff(self, text: str) -> None:
        """Print a unified diff, coloured on a terminal; elsewhere its tabs stay tabs, so that it can be applied."""
        if self.json_mode:
            return
        from rich.text import Text

        for line in text.removesuffix("\n").split("\n"):
            plain = "\t".join(escape(part) for part in line.split("\t"))
            if self.stdout.is_terminal:
                style = "bold" if line.startswith(("--- ", "+++ ")) else _DIFF_STYLES.get(line[:1], "")
                self.stdout.print(Text(plain, style), soft_wrap=True)
            else:
                self.stdout.file.write(f"{plain}\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
        """Print rows in aligned columns, or, without rows, say `empty`."""
        if self.json_mode:
            return
        cells = [["" if cell is None else escape(str(cell)) for cell in row] for row in rows]
        if not cells:
            self.say(empty)
            return
        widths = [max(len(row[index]) for row in [list(columns), *cells]) for index in range(len(columns))]
        for number, row in enumerate([list(columns), *cells]):
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            _print(self.stdout, "  ".join(padded).rstrip(), "" if number else "bold")

    def error(self, error: MixpeekError) -> None:
        """Print what failed, where, and what to do next."""
        if self.json_mode:
            self.document({"success": False, "status": error.status, "error": error.wire()})
            return
        _print(self.stderr, f"error: {error.message}", "bold red")
        self._error_findings(error)
        for frame in _dicts(error.details.get("frames")):
            _print(self.stderr, f"  {frame.get('file')}:{frame.get('line')} in {frame.get('function')}")
            _print(self.stderr, f"      {frame.get('code') or ''}".rstrip(), "dim")
        if error.hint:
            _print(self.stderr, f"  {error.hint}", "cyan")
        request_id = getattr(error, "request_id", None)
        if request_id:
            _print(self.stderr, f"  request {request_id}", "dim")
        if self.verbose:
            self._causes(error)

    def _error_findings(self, error: MixpeekError) -> None:
        entries = [
            # Findings say `path`, faults of a request body say `location`.
            {**entry, "path": entry.get("path") or ".".join(str(part) for part in entry.get("location") or ())}
            for entry in _dicts(error.details.get("validation_errors"))
        ]
        report_on_stdout, self._report_on_stdout = self._report_on_stdout, False
        self.findings(entries)
        self._report_on_stdout = report_on_stdout

    def _causes(self, error: BaseException) -> None:
        cause = error.__cause__
        while cause is not None:
            _print(self.stderr, f"  caused by {type(cause).__name__}: {cause}", "dim")
            cause = cause.__cause__

    @property
    def _report_stream(self) -> Console:
        return self.stdout if self._report_on_stdout else self.stderr


def output_for(
    context: typer.Context, json_mode: bool, *, verbose: bool = False, report_on_stdout: bool = False
) -> Output:
    """Return the output of a command; `--json` counts before and after the sub-command."""
    json_mode = json_mode or globals_of(context).json
    return Output(json_mode, verbose=verbose, report_on_stdout=report_on_stdout)


_NOT_PLAIN = re.compile("[^\n\x20-\x7e]")


def _json_escape(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # rich is slow to load, and JSON mode never needs it

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def _print(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    for line in text.split("\n"):
        console.print(Text(escape(line), style), soft_wrap=True)


def _can_print(console: Console, text: str) -> bool:
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
