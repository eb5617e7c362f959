"""How two JSON values compare: what counts as a number or a truth value, how text is folded, what a word is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# Longer text is never taken for a number, so that no text can cost more than a comparison.
NUMBER_MOST_CHARACTERS = 40
# Both dialects read these the same way.
NUMBER = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?"
# What stands between words: controls, blanks, punctuation and symbols of ASCII, Latin-1 and their Unicode blocks.
SEPARATORS = (
    "\x01-/:-@\\[-^`{-\x7f\x80-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7"
    "\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
)
TRUTH = {"true": True, "false": False}
_NUMBER = re.compile(NUMBER)
_SEPARATORS = re.compile(f"[{SEPARATORS}]+")


def fold(text: str) -> str:
    """Return text in which case makes no difference: each character in its simple lower case, as in `pg_c_utf8`."""
    if text.isascii():
        return text.lower()
    # Of all characters only İ has a lower case of two; a whole text's `lower` also turns Σ at the end of a word to ς.
    return "".join("i" if character == "İ" else character.lower() for character in text)


def number_from_text(text: str) -> Decimal | None:
    """Return the number that a text spells out, None if it spells none."""
    if len(text) <= NUMBER_MOST_CHARACTERS and _NUMBER.fullmatch(text):
        return Decimal(text)
    return None


def truth_from_text(text: str) -> bool | None:
    return TRUTH.get(fold(text))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def decimal_of(value: float | Decimal) -> Decimal:
    """Return a JSON number as the decimal it is written as."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def text_of(value: Any) -> str | None:
    """Return the text of a string, a number or a truth value as PostgreSQL writes it; None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if is_number(value):
        number = decimal_of(value)
        return format(number if number else abs(number), "f")
    return None


def words_of(text: str) -> list[str]:
    """Return the words of a text, folded, each once."""
    return sorted({word for word in _SEPARATORS.sub(" ", fold(text)).split(" ") if word})


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal, however deep; 1 equals 1.0, and true equals no number."""
    if is_number(one) and is_number(other):
        return decimal_of(one) == decimal_of(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    return type(one) is type(other) and bool(one == other)


@dataclass(frozen=True)
class Members:
    """The values of which a field is to have one, told apart by what they can be compared with."""

    texts: frozenset[str]
    numbers: frozenset[Decimal]
    truths: frozenset[bool]
    # What texts among the values spell out, for fields that hold a number or a truth value.
    spelt_numbers: frozenset[Decimal]
    spelt_truths: frozenset[bool]
    has_null: bool
    structures: tuple[Any, ...]
    is_exact: bool

    @classmethod
    def of(cls, values: Iterable[Any], *, case_sensitive: bool) -> Members:
        items = list(values)
        texts = [item for item in items if isinstance(item, str)]
        return cls(
            texts=frozenset(text if case_sensitive else fold(text) for text in texts),
            numbers=frozenset(decimal_of(item) for item in items if is_number(item)),
            truths=frozenset(item for item in items if isinstance(item, bool)),
            spelt_numbers=frozenset(number for text in texts if (number := number_from_text(text)) is not None),
            spelt_truths=frozenset(truth for text in texts if (truth := truth_from_text(text)) is not None),
            has_null=None in items,
            structures=tuple(item for item in items if isinstance(item, list | dict)),
            is_exact=case_sensitive,
        )
