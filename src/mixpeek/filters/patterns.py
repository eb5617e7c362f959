r"""Regular expressions that mean the same in PostgreSQL and in RE2, and cannot run away in either.

Both are told a pattern only after it was read here: characters, `.`, `[…]`, `\d \w \s \D \W \S`, `\b`, `^ $`, groups,
`|` and `* + ? {m,n}`. Back references, look-around and inline flags are refused by name: they would mean something else
in the other dialect, or nothing. Character classes are those of ASCII, `.` is anything but a line feed, `^` and `$` are
the ends of the whole text, and a pattern is searched for, not matched from the start.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mixpeek.filters.values import fold

MOST_CHARACTERS = 1000
MOST_REPEATS = 255  # PostgreSQL's own limit
MOST_DEPTH = 20

Ranges = list[tuple[int, int]]
_LAST = 0x10FFFF
_CLASSES: dict[str, Ranges] = {
    "d": [(0x30, 0x39)],
    "w": [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
    "s": [(0x09, 0x0D), (0x20, 0x20)],
}
_ENTRIES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class PatternInvalid(ValueError):
    """The regular expression cannot be used."""


@dataclass(frozen=True)
class Pattern:
    """One pattern in both dialects; where it ignores case, both expect folded text."""

    postgres: str
    re2: str


@cache
def read_pattern(source: str, *, case_sensitive: bool) -> Pattern:
    """Return a pattern in both dialects.

    Raises: PatternInvalid: it is not written as the module says; the message names the place.
    """
    if len(source) > MOST_CHARACTERS:
        raise PatternInvalid(f"it has {len(source)} characters, {MOST_CHARACTERS} at most")
    reader = _Reader(source, case_sensitive)
    found = reader.alternatives(0)
    if reader.at < len(source):
        raise reader.fault("`)` closes nothing")
    return found


class _Reader:
    def __init__(self, source: str, case_sensitive: bool) -> None:
        self._source = source
        self._case_sensitive = case_sensitive
        self.at = 0

    def fault(self, message: str) -> PatternInvalid:
        return PatternInvalid(f"{message} (at character {self.at + 1})")

    def alternatives(self, depth: int) -> Pattern:
        if depth > MOST_DEPTH:
            raise self.fault(f"groups are nested more than {MOST_DEPTH} deep")
        choices = [self._sequence(depth)]
        while self._take("|"):
            choices.append(self._sequence(depth))
        return _joined(choices, "|")

    def _sequence(self, depth: int) -> Pattern:
        items: list[Pattern] = []
        while self.at < len(self._source) and self._source[self.at] not in "|)":
            items.append(self._repeated(depth))
        # An empty choice matches the empty text; PostgreSQL wants it spelt out.
        return _joined(items, "") if items else _both("(?:)")

    def _repeated(self, depth: int) -> Pattern:
        is_place = self._source[self.at] in "^$" or self._source.startswith("\\b", self.at)
        item = self._item(depth)
        counts = self._counts()
        if counts is None:
            return item
        if is_place:
            raise self.fault("a place such as `^` cannot be repeated")
        self._take("?")  # how much is taken makes no difference to whether there is a match
        if self._counts() is not None:
            raise self.fault("a repeat cannot be repeated; put it into a group")
        least, most = counts
        suffix = f"{{{least},{'' if most is None else most}}}"
        return Pattern(f"(?:{item.postgres}){suffix}", f"(?:{item.re2}){suffix}")

    def _counts(self) -> tuple[int, int | None] | None:
        if self.at >= len(self._source):
            return None
        sign = self._source[self.at]
        if sign in _REPEATS:
            self.at += 1
            return _REPEATS[sign]
        if sign != "{":
            return None
        end = self._source.find("}", self.at)
        least, comma, most = self._source[self.at + 1 : end].partition(",")
        if end < 0 or not _is_count(least) or (most and not _is_count(most)):
            raise self.fault("`{` starts a count such as `{2}`, `{2,}` or `{2,5}`; write `\\{` for the brace")
        lower, upper = int(least), int(most) if most else None if comma else int(least)
        if lower > MOST_REPEATS or (upper is not None and not lower <= upper <= MOST_REPEATS):
            raise self.fault(f"a count goes from its lower to its upper bound, {MOST_REPEATS} at most")
        self.at = end + 1
        return lower, upper

    def _item(self, depth: int) -> Pattern:
        character = self._next()
        if character in "*+?{":
            self.at -= 1
            raise self.fault(f"`{character}` repeats nothing; write `\\{character}` for the character")
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._bracket()
        if character == ".":
            return self._set([(0x0A, 0x0A)], negated=True)
        if character in "^$":
            return _both(character)
        if character == "\\":
            return self._escape()
        return self._literal(character)

    def _group(self, depth: int) -> Pattern:
        if self._source.startswith("?", self.at) and not self._take("?:"):
            raise self.fault(
                "of the groups that begin with `(?`, only `(?:` can be used: no look-around, flags or names"
            )
        inner = self.alternatives(depth + 1)
        if not self._take(")"):
            raise self.fault("a group is not closed")
        return Pattern(f"(?:{inner.postgres})", f"(?:{inner.re2})")

    def _escape(self) -> Pattern:
        character = self._next("a backslash ends the pattern")
        if character == "b":
            return Pattern(r"\y", r"\b")
        if character.lower() in _CLASSES:
            return self._set(_CLASSES[character.lower()], negated=character.isupper())
        return self._literal(self._escaped(character))

    def _escaped(self, character: str) -> str:
        if character in _ENTRIES:
            return _ENTRIES[character]
        if character.isalnum():
            raise self.fault(
                f"`\\{character}` cannot be used: of the escapes there are \\d \\w \\s \\b \\n \\t \\r \\f \\v"
            )
        return character

    def _bracket(self) -> Pattern:
        negated = self._take("^")
        ranges: Ranges = []
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            low = self._bracket_item(ranges)
            if low is None:
                continue
            high = low
            if self._source.startswith("-", self.at) and not self._source.startswith("-]", self.at):
                self.at += 1
                end = self._bracket_item([])
                if end is None or end < low:
                    raise self.fault("a range goes from a character to a later one")
                high = end
            ranges.append((low, high))
        return self._set(ranges, negated=negated)

    def _bracket_item(self, ranges: Ranges) -> int | None:
        """Return the next character of a bracket, None if it was a class, which joins `ranges`."""
        character = self._next("`[` is not closed")
        if character == "[" and self._source[self.at : self.at + 1] in (":", ".", "="):
            raise self.fault("named classes such as `[:alpha:]` cannot be used; write `a-zA-Z`")
        if character != "\\":
            return ord(character)
        character = self._next("`[` is not closed")
        if character.lower() in _CLASSES:
            if character.isupper():
                raise self.fault(f"`\\{character}` cannot be used within `[…]`")
            ranges += _CLASSES[character]
            return None
        return ord(self._escaped(character))

    def _literal(self, character: str) -> Pattern:
        return _both(_quoted(character if self._case_sensitive else fold(character)))

    def _set(self, ranges: Ranges, *, negated: bool) -> Pattern:
        wanted = _merged(ranges if self._case_sensitive else _folded(ranges))
        # A set of everything has an empty complement, which neither dialect can write.
        inside = "".join(_range(low, high) for low, high in wanted)
        return _both(f"[{'^' if negated else ''}{inside}]")

    def _next(self, fault: str = "the pattern ends too early") -> str:
        if self.at >= len(self._source):
            raise self.fault(fault)
        self.at += 1
        return self._source[self.at - 1]

    def _take(self, text: str) -> bool:
        if self._source.startswith(text, self.at):
            self.at += len(text)
            return True
        return False


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _both(text: str) -> Pattern:
    return Pattern(text, text)


def _joined(parts: Sequence[Pattern], between: str) -> Pattern:
    return Pattern(between.join(p.postgres for p in parts), between.join(p.re2 for p in parts))


def _quoted(character: str) -> str:
    return f"\\{character}" if character.isascii() and not character.isalnum() and character > " " else character


def _range(low: int, high: int) -> str:
    first, last = _quoted(chr(low)), _quoted(chr(high))
    return first if low == high else f"{first}-{last}"


def _merged(ranges: Ranges) -> Ranges:
    merged: Ranges = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


@cache
def _capitals() -> list[tuple[int, int]]:
    """Return every character that folding changes, with what it becomes."""
    every = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    return [(ord(character), ord(fold(character))) for character in every if fold(character) != character]


def _folded(ranges: Ranges) -> Ranges:
    """Return the set that folded text must be in, where the text itself was to be in `ranges`."""
    if all(high < 0x80 for _, high in ranges):
        capitals: Sequence[tuple[int, int]] = [(code, code + 0x20) for code in range(0x41, 0x5B)]
    else:
        capitals = _capitals()
    return ranges + [(small, small) for big, small in capitals if any(low <= big <= high for low, high in ranges)]
