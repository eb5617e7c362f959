"""Templates in stage parameters: filled from the inputs, keeping types, refusing what was not given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.errors import InvalidRequest
from mixpeek.retrieval.templates import render

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().filter(lambda text: "{" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN, st.dictionaries(st.text(max_size=5), PLAIN, max_size=3))
def test_what_holds_no_template_stays_as_it_is(value: Any, inputs: dict[str, Any]) -> None:
    assert render(value, inputs) == value


@given(PLAIN, st.sampled_from(["INPUT", "INPUTS", "input", "inputs"]), st.sampled_from(["", " ", "  "]))
def test_a_lone_reference_keeps_the_type_of_its_input(value: Any, root: str, space: str) -> None:
    template = f"{{{{{space}{root}.query{space}}}}}"

    assert render({"a": [template]}, {"query": value}) == {"a": [value]}


def test_a_reference_within_text_is_written_into_it() -> None:
    assert render("find {{INPUT.what}} in {{ inputs.where }}", {"what": "cats", "where": "Rome"}) == "find cats in Rome"


@given(st.text())
def test_an_input_is_never_read_as_a_template(text: str) -> None:
    hostile = text + "{{INPUT.secret}}{% for x in y %}"

    assert render("{{INPUT.query}}", {"query": hostile, "secret": "s"}) == hostile
    assert render("q: {{INPUT.query}}", {"query": hostile, "secret": "s"}) == f"q: {hostile}"


@pytest.mark.parametrize("template", ["{{INPUT.absent}}", "find {{INPUT.absent}}"])
def test_an_input_that_was_not_given_is_named(template: str) -> None:
    with pytest.raises(InvalidRequest, match="absent"):
        render(template, {"query": "x"})


@pytest.mark.parametrize("template", ["{{INPUT.query", "{% if %} {{INPUT.query}}", "{{ nothing() }} x"])
def test_what_is_no_valid_template_is_refused(template: str) -> None:
    with pytest.raises(InvalidRequest):
        render(template, {"query": "x"})


def test_single_braces_are_text() -> None:
    assert render("{INPUT.query}", {"query": "x"}) == "{INPUT.query}"


@pytest.mark.parametrize(
    "template",
    [
        "x {{ INPUT.__class__.__mro__ }}",
        "x {{ ''.__class__.__base__.__subclasses__() }}",
        "x {{ INPUT.query.__init__.__globals__ }}",
    ],
)
def test_a_template_cannot_reach_pythons_insides(template: str) -> None:
    with pytest.raises(InvalidRequest):
        render(template, {"query": "x"})
