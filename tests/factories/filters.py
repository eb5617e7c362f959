"""Filters of every kind and records they may fit, drawn so that they often do."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mixpeek.filters.model import Operator

# Few letters, so that values meet; among them those that fold in unusual ways, stand between words, or matter to SQL.
TEXTS = st.one_of(
    st.text("aAbB1 .é\u00c9İΣςσß'%\\_\"-\n\u2014", max_size=6),
    st.sampled_from(["5", "5.0", "-0", "1e3", "true", "False", "null", "2026-01-31", "Red", "red fox, the", "a.b"]),
    st.sampled_from(["obj_1", "bucket", "x" * 300, "+5", "9007199254740993"]),
    st.integers(-12, 12).map(str),
)
NUMBERS = st.one_of(
    st.integers(-12, 12),
    st.sampled_from([0.5, -0.0, 5.0, 1e3, 1e20, 1e-7, 1.1, 10**30, 2**53 + 1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=2),
    max_leaves=5,
)
# What fields hold and what they are compared with are drawn from here more often than not, so that conditions hold too.
COMMON = st.sampled_from(
    [
        "a",
        "A",
        "ab",
        "Red fox",
        "red",
        "é",
        "É",
        "5",
        5,
        5.0,
        12,
        -1,
        True,
        "TRUE",
        None,
        ["a", 5],
        ["Red fox"],
        {"a": 1},
    ]
)
NAMES = st.sampled_from(
    [
        "x",
        "x",
        "x",
        "x",
        "y",
        "x.a",
        "x.0",
        "x.-1",
        "x.a.b",
        "metadata.y",
        "a.b",
        "root_object_id",
        "_internal.lineage",
        "document_id",
        "it's",
        'say "x"',
        "source_type",
    ]
)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    payload = draw(
        st.dictionaries(st.sampled_from(["x", "y", "a.b", "metadata", "it's", 'say "x"']), COMMON | VALUES, max_size=4)
    )
    lineage = draw(st.fixed_dictionaries({}, optional={"root_object_id": TEXTS, "path": VALUES}))
    return {
        "document_id": draw(TEXTS),
        "payload": payload,
        "internal": draw(st.sampled_from([{}, {"lineage": lineage}])),
        "created_at": None,
    }


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(list(Operator)))
    if operator in ("exists", "is_null"):
        value = draw(st.booleans())
    elif operator in ("in", "nin"):
        value = draw(st.lists(COMMON | VALUES, max_size=4))
    elif operator in ("eq", "ne"):
        value = draw(COMMON | VALUES)
    elif operator == "regex":
        value = draw(PATTERNS)
    elif operator in ("gt", "lt", "gte", "lte"):
        value = draw(st.integers(0, 9) | NUMBERS | TEXTS)
    else:
        value = draw(st.sampled_from(["a", "red", "fox", "5"]) | NUMBERS | st.booleans() | TEXTS)
    found = {"field": draw(NAMES), "operator": operator.value, "value": value}
    return {**found, **draw(st.sampled_from([{}, {"case_sensitive": True}, {"case_sensitive": False}]))}


# Put together from pieces, so that most of them are patterns.
PIECES = st.sampled_from(
    ["a", "B", "é", "İ", "Σ", ".", "[a-c]", "[^a]", "[A-Z]", "[É-Ü]", r"\d", r"\W", r"\s", r"\b", "^", "$",
     "a|b", "(ab)", "(?:a|)", "a*", "b+?", ".?", "[0-9]{1,3}", "(a|b){2}", r"\.", r"\\", "%", "'", "-", "[-a]", "[]a]",
     r"[\]x]"]
)  # fmt: skip
PATTERNS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
FILTERS = st.recursive(
    conditions(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "AND": st.lists(inner, max_size=3),
            "OR": st.lists(inner, max_size=3),
            "NOT": st.lists(inner, max_size=2) | inner,
            "case_sensitive": st.booleans(),
        },
    ),
    max_leaves=6,
)
