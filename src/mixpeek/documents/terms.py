"""What of a document the text search reads: the stems of all words in its payload, wherever they stand. Pure.

Every text of the payload counts, in lists and objects too, and so does what a user set; names of fields, numbers and
what is in `_internal` do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from mixpeek.documents.stemming import stem
from mixpeek.filters.values import SEPARATORS, fold

# What is longer is no word: encoded data, or the path of a file.
WORD_MOST_CHARACTERS = 64
# A document is found by its first words; beyond that it would be a book in one field.
MOST_TERMS = 10_000
_WORD = re.compile(f"[^{SEPARATORS}\x00]+")
# Scripts written without blanks are read in pairs of characters, as is usual for them.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
# Words that nearly every English text has tell none from another: a query leaves them out, unless it has no other.
STOPWORDS = frozenset(
    """
    a about all also am an and any are as at be been being but by can could did do does doing for from had has have
    having he her here hers him his how i if in into is it its just me more most my no nor not now of off on once only
    or other our ours out over own s same she should so some such t than that the their theirs them then there these
    they this those through to too under until up very was we were what when where which while who whom why will with
    would you your yours
    """.split()  # noqa: SIM905
)


def terms_of(payload: Mapping[str, Any]) -> list[str]:
    """Return the terms of a document in the order of its text, at most `MOST_TERMS`."""
    terms: list[str] = []
    for text in _texts(payload):
        terms += terms_of_text(text)
        if len(terms) >= MOST_TERMS:
            return terms[:MOST_TERMS]
    return terms


def terms_of_text(text: str) -> list[str]:
    return [term for word in _words(text) if (term := _term(word))]


def terms_of_query(query: str) -> list[str]:
    """Return the terms to look for, each once; none where the query has no word."""
    words = list(_words(query))
    chosen = [word for word in words if word not in STOPWORDS] or words
    return list(dict.fromkeys(term for word in chosen if (term := _term(word))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _words(text: str) -> Iterator[str]:
    words = _WORD.findall(fold(text))
    if text.isascii():
        return iter(words)
    return _with_pairs(words)


def _with_pairs(words: list[str]) -> Iterator[str]:
    for word in words:
        at = 0
        for run in _UNSPACED.finditer(word):
            yield word[at : run.start()]
            characters = run[0]
            yield from (characters[n : n + 2] for n in range(max(len(characters) - 1, 1)))
            at = run.end()
        yield word[at:]


# For the words that texts have in common: to stem takes 2 µs, and what is kept some 170 bytes a word.
@lru_cache(maxsize=16384)
def _term(word: str) -> str | None:
    return stem(word) if 0 < len(word) <= WORD_MOST_CHARACTERS else None
