"""The stem of an English word, so that `searches` finds `searching`. Pure.

Source: Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with its author's two later changes (`bli` and
`logi`). It is here and not a dependency's, as stems are stored: another release must not stem differently.
"""

from __future__ import annotations

import re

_CONSONANTS, _VOWELS = "[^aeiou][^aeiouy]*", "[aeiouy][aeiou]*"
# How many times vowels are followed by consonants is the measure of a stem.
_MEASURE_ABOVE_0 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}")
_MEASURE_IS_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}({_VOWELS})?$")
_MEASURE_ABOVE_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}{_VOWELS}{_CONSONANTS}")
_HAS_VOWEL = re.compile(f"^({_CONSONANTS})?[aeiouy]")
_ENDS_SHORT = re.compile(f"^{_CONSONANTS}[aeiouy][^aeiouwxy]$")
_DOUBLED = re.compile(r"([^aeiouylsz])\1$")
_PLURAL = re.compile("^(.+?)(ss|i)es$")
_PLURAL_S = re.compile("^(.+?[^s])s$")
_PAST = re.compile("^(.+?)(ed|ing)$")
_ION = re.compile("^(.+?[st])ion$")
_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
    "logi": "log",
}  # fmt: skip
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou", "ism", "ate", "iti", "ous",
    "ive", "ize",
)  # fmt: skip
_SUFFIX_2 = re.compile(f"^(.+?)({'|'.join(_STEP_2)})$")
_SUFFIX_3 = re.compile(f"^(.+?)({'|'.join(_STEP_3)})$")
_SUFFIX_4 = re.compile(f"^(.+?)({'|'.join(_STEP_4)})$")
_ENGLISH = re.compile("[a-z]{3,}")


def stem(word: str) -> str:
    """Return the stem of a lower-case word; a word that is not of Latin letters alone is its own."""
    if not _ENGLISH.fullmatch(word):
        return word
    # At the beginning of a word y is a consonant.
    stemmed = f"Y{word[1:]}" if word[0] == "y" else word
    stemmed = _without_y(_without_past(_without_plural(stemmed)))
    for suffixes, others in ((_SUFFIX_2, _STEP_2), (_SUFFIX_3, _STEP_3)):
        found = suffixes.match(stemmed)
        if found and _MEASURE_ABOVE_0.match(found[1]):
            stemmed = found[1] + others[found[2]]
    stemmed = _without_ending(stemmed)
    return f"y{stemmed[1:]}" if stemmed[0] == "Y" else stemmed


def _without_plural(word: str) -> str:
    found = _PLURAL.match(word)
    if found:
        return found[1] + found[2]
    found = _PLURAL_S.match(word)
    return found[1] if found else word


def _without_past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _MEASURE_ABOVE_0.match(word[:-3]) else word
    found = _PAST.match(word)
    if not found or not _HAS_VOWEL.match(found[1]):
        return word
    word = found[1]
    if word.endswith(("at", "bl", "iz")) or _ENDS_SHORT.match(word):
        return f"{word}e"
    return word[:-1] if _DOUBLED.search(word) else word


def _without_y(word: str) -> str:
    return f"{word[:-1]}i" if word.endswith("y") and _HAS_VOWEL.match(word[:-1]) else word


def _without_ending(word: str) -> str:
    found = _SUFFIX_4.match(word)
    if found:
        word = found[1] if _MEASURE_ABOVE_1.match(found[1]) else word
    else:
        found = _ION.match(word)
        word = found[1] if found and _MEASURE_ABOVE_1.match(found[1]) else word
    if word.endswith("e"):
        before = word[:-1]
        if _MEASURE_ABOVE_1.match(before) or (_MEASURE_IS_1.match(before) and not _ENDS_SHORT.match(before)):
            word = before
    return word[:-1] if word.endswith("ll") and _MEASURE_ABOVE_1.match(word) else word
