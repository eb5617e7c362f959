"""Findings: what a check saw, where, and how to repair it.

Every check returns findings and raises nothing; who prints or refuses is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_MAX_TEXT = 2_000


class Severity(StrEnum):
    """How much a finding matters: an error refuses the plugin, a warning never does."""

    ERROR = "error"
    WARNING = "warning"


def escape(text: str) -> str:
    """Return ``text`` on one line, with every character that could steer a terminal written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


def _plain(text: str) -> str:
    # Cut first: what a hostile plugin says may be far longer than what is worth escaping.
    shown = escape(text[: _MAX_TEXT + 1])
    return shown if len(shown) <= _MAX_TEXT else shown[: _MAX_TEXT - 1] + "…"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule's report; its texts are escaped on construction, so they are safe to print.

    ``path`` is relative to the plugin's folder ("" for the plugin as a whole); ``line`` and ``column`` count from 1
    in characters and are None where there is no such place.
    """

    rule: str
    severity: Severity
    message: str
    hint: str
    path: str = ""
    line: int | None = None
    column: int | None = None

    def __post_init__(self) -> None:
        # The texts may quote an archive or a plugin, so no later printer has to remember to escape them.
        for name in ("message", "hint", "path"):
            object.__setattr__(self, name, _plain(getattr(self, name)))

    @property
    def is_error(self) -> bool:
        """Tell whether this finding refuses the plugin."""
        return self.severity is Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Return the key that orders findings by path, then by line."""
        return (self.path, self.line or 0, self.column or 0, self.rule, self.message)

    @property
    def place(self) -> str:
        """Return ``path:line:column`` as far as it is known."""
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part not in ("", None))

    def wire(self) -> dict[str, str | int | None]:
        """Return the finding as an entry of ``validation_errors``."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "path": self.path,
            "file": self.path,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
        }


def error(
    rule: str, message: str, *, hint: str, path: str = "", line: int | None = None, column: int | None = None
) -> Finding:
    """Return an error finding."""
    return Finding(rule=rule, severity=Severity.ERROR, message=message, hint=hint, path=path, line=line, column=column)


def warning(
    rule: str, message: str, *, hint: str, path: str = "", line: int | None = None, column: int | None = None
) -> Finding:
    """Return a warning finding."""
    return Finding(
        rule=rule, severity=Severity.WARNING, message=message, hint=hint, path=path, line=line, column=column
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings without repeats, by path and line."""
    return sorted(set(findings), key=lambda finding: finding.sort_key)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether one of the findings is an error."""
    return any(finding.is_error for finding in findings)
