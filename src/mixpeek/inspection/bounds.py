"""Whether what a host sent is small and plain enough to be looked at further, stored and printed.

A host runs foreign code: its JSON may be deep, huge, or hold text and numbers that no database takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mixpeek.inspection.manifest_report import ManifestReport, Path, dotted

MAX_VALUES = 20_000
MAX_DEPTH = 32
MAX_CHARACTERS = 1_000_000
_MAX_WHOLE = 2**63
_MAX_REPORTED = 20


def check_bounds(value: Any, report: ManifestReport) -> bool:
    """Report values that are too large, too deep, or have no place in stored JSON; tell whether there are none."""
    reported = characters = values = 0
    for path, item in _walk(value):
        # Counted before they are walked: a container of millions is refused at its door.
        values += len(item) if isinstance(item, dict | list) else 0
        characters += _length(path[-1] if path else "") + _length(item)
        if values > MAX_VALUES or characters > MAX_CHARACTERS:
            report.add(
                "manifest.too_large",
                f"The manifest holds more than {MAX_VALUES:,} values or {MAX_CHARACTERS:,} characters",
                "Keep data in files of its own; the manifest only declares",
                *path[:1],
            )
            return False
        if len(path) > MAX_DEPTH:
            report.add(
                "manifest.too_deep",
                f"`{dotted(*path[:3])}` is nested deeper than {MAX_DEPTH} levels",
                "Declare it flatter",
                *path[:3],
            )
            return False
        fault = _fault(path[-1] if path else "") or _fault(item)
        if fault is not None:
            rule, words, hint = fault
            report.add(rule, f"`{dotted(*path)}` {words}", hint, *path)
            reported += 1
            if reported >= _MAX_REPORTED:
                return False
    return reported == 0


def _walk(value: Any) -> Iterator[tuple[Path, Any]]:
    # Not recursive, so that depth costs nothing but a longer list.
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        yield path, item
        if isinstance(item, dict):
            waiting += [((*path, str(key)), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(item)]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 1


def _fault(value: Any) -> tuple[str, str, str] | None:
    """Return rule, words and hint for a text or number that cannot be stored."""
    if isinstance(value, str):
        if "\0" in value:
            return "manifest.invalid_text", "contains a null character", "Remove the character"
        if any("\ud800" <= char <= "\udfff" for char in value):
            return "manifest.invalid_text", "contains half of a surrogate pair", "Write the character itself"
    elif isinstance(value, float) and not math.isfinite(value):
        return "manifest.invalid_number", f"is {value}, which JSON cannot say", "Write a finite number"
    elif isinstance(value, int) and abs(value) >= _MAX_WHOLE:
        return "manifest.invalid_number", "is a number of more than 64 bits", "Write a smaller number"
    return None
