"""Against characters that make code look like something else than it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.rules.base import Rule, Spot

# The marks that change the direction of text, and their endings.
_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _check(module: Module) -> Iterator[Spot]:
    if module.source.isascii() or not _MARKS.search(module.text):
        return
    for number, line in enumerate(module.lines, start=1):
        mark = _MARKS.search(line.decode("utf-8", "replace"))
        if mark:
            offset = len(line.decode("utf-8", "replace")[: mark.start()].encode())
            place = ast.Pass(lineno=number, col_offset=offset)
            yield place, f"The character U+{ord(mark[0]):04X} makes code look other than it runs"


RULE = Rule(
    "security.hidden_characters",
    Severity.WARNING,
    "Characters that change the direction of text make code look other than it runs",
    "Delete the character, or write it as an escape such as `\\u202e`",
    offending=("level = 'user\u202e \u2066# check\u2069 \u2066'",),
    harmless=("level = '\\u202e'", "name = 'שלום é'"),
    check=_check,
)
