"""Which words of a document are searched, what their stems are, and how texts rank by them."""

from __future__ import annotations

import pytest

from mixpeek.documents import bm25
from mixpeek.documents.stemming import stem
from mixpeek.documents.terms import MOST_TERMS, terms_of, terms_of_query

# From the paper, step by step.
STEMS = {
    "caresses": "caress", "ponies": "poni", "cats": "cat", "feed": "feed", "agreed": "agre", "plastered": "plaster",
    "motoring": "motor", "sing": "sing", "conflated": "conflat", "sized": "size", "hopping": "hop", "falling": "fall",
    "failing": "fail", "filing": "file", "happy": "happi", "sky": "sky", "relational": "relat", "conditional": "condit",
    "vietnamization": "vietnam", "operator": "oper", "hopefulness": "hope", "sensibiliti": "sensibl",
    "triplicate": "triplic", "electrical": "electr", "revival": "reviv", "adoption": "adopt", "effective": "effect",
    "probate": "probat", "rate": "rate", "controll": "control", "roll": "roll", "yes": "ye", "is": "is",
    "naïve": "naïve", "x86": "x86",
}  # fmt: skip


@pytest.mark.parametrize(("word", "expected"), STEMS.items())
def test_stems_are_those_of_the_paper(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_every_text_of_the_payload_is_read_and_no_name_or_number() -> None:
    payload = {"title": "Red Foxes", "parts": [{"body": "they JUMPED"}, "over"], "count": 5, "flag": True, "none": None}

    assert terms_of(payload) == ["red", "fox", "thei", "jump", "over"]


def test_what_is_too_long_is_no_word_and_a_book_is_cut_off() -> None:
    assert terms_of({"text": f"short {'x' * 65} words"}) == ["short", "word"]
    assert len(terms_of({"text": "word " * (MOST_TERMS + 5)})) == MOST_TERMS


def test_scripts_without_blanks_are_read_in_pairs() -> None:
    assert terms_of({"text": "Über 東京都の天気 x"}) == ["über", "東京", "京都", "都の", "の天", "天気", "x"]
    assert terms_of_query("天気") == ["天気"]


def test_a_query_leaves_common_words_out_unless_it_has_no_other() -> None:
    assert terms_of_query("what is the theory of the relations?") == ["theori", "relat"]
    assert terms_of_query("to be or not to be") == ["to", "be", "or", "not"]
    assert terms_of_query(" ?! ") == []


def test_ranking_is_the_formula() -> None:
    texts = {"a": ["x", "x", "y"], "b": ["x"], "c": ["y", "z"], "d": []}

    ranked = bm25.rank(texts, ["x", "absent"])

    # ln(1 + 2.5 / 2.5); the average length is 6 / 4.
    weight = 0.6931471805599453
    a, b = (weight * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * length / 1.5)) for n, length in ((2, 3), (1, 1)))
    assert dict(ranked) == pytest.approx({"a": a, "b": b})
    assert [key for key, _ in ranked] == (["a", "b"] if a > b else ["b", "a"])
