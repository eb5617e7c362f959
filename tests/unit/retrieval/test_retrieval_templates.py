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


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ('x {{ "%.2f" | format(INPUT.score) }} {{ "{:.1f}".format(INPUT.score) }}', "x 0.12 0.1"),
        ("{% for tag in INPUT.tags %}{{ tag | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}", '"a", "b"'),
        ("x {{ INPUT.tags | map('upper') | join('/') }} {{ ', '.join(INPUT.tags) }}", "x A/B a, b"),
        (
            "x {{ INPUT.tags | length }} of {{ loops | default('none') }} {{ INPUT.more | tojson }}",
            'x 2 of none {"n": 1}',
        ),
        (
            "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i * 2 %}{% endfor %}{{ ns.n }}",
            "12",
        ),
        ("x {{ 'a-b' | replace('-', '+') }} {{ 'a-b'.replace('-', '/') }} {{ 'a' ~ 1 ~ none }}", "x a+b a/b a1"),
        ("{% macro shown(x) %}<{{ x }}>{% endmacro %}{{ shown(1) }}{{ shown('b') }}", "<1><b>"),
        ("x {{ INPUT.score | round(1) }} {{ [1, 2.5] | sum }} {{ INPUT.more.items() | list }}", "x 0.1 3.5 [('n', 1)]"),
    ],
)
def test_a_template_is_written_as_jinja_writes_it(template: str, written: str) -> None:
    assert render(template, {"score": 0.1234, "tags": ["a", "b"], "more": {"n": 1}}) == written


def grown(start: str, step: str, end: str = "{{ ns.x }}") -> str:
    """Return a template that makes a value of itself forty times."""
    return f"{{% set ns = namespace(x={start}) %}}{{% for i in range(40) %}}{step}{{% endfor %}}{end}"


@pytest.mark.parametrize(
    "template",
    [
        '{{ "a".ljust(999999999) | length }}',
        '{{ "a" | center(999999999) | length }}',
        '{{ "{:>999999999}".format("a") | length }}',
        '{{ "{:{}}".format("a", 999999999) | length }}',
        '{{ "%999999999d" | format(1) | length }}',
        '{{ "%*d" | format(999999999, 1) | length }}',
        '{{ "a\nb" | indent(999999999) | length }}',
        grown('"a"', "{% set ns.x = ns.x ~ ns.x %}"),
        grown('"a"', "{% set ns.x = ns.x + ns.x %}"),
        grown("[1]", "{% set ns.x = [ns.x, ns.x] %}", "{{ ns.x | tojson }}"),
        grown("[1]", "{% set ns.x = [ns.x, ns.x] %}"),
        grown('"a"', "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        grown('"aa"', '{% set ns.x = ns.x.replace("a", ns.x) %}'),
        grown('"aa"', '{% set ns.x = ns.x | replace("a", ns.x) %}'),
        grown('"aa"', "{% set ns.x = ns.x.join(ns.x) %}"),
        grown('"aa"', "{% set ns.x = ns.x | join(ns.x) %}"),
        grown("10", "{% set ns.x = ns.x * ns.x %}"),
        "{{ 1 }}{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        f"{{% set x %}}{{% for i in range(99999) %}}{'x' * 1000}{{% endfor %}}{{% endset %}}{{{{ x }}}}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for x in [[1]] recursive %}{{ loop([x, x]) }}{% endfor %}",
        "{{ [range(9999) | list] * 9999 }}",
        "{% set l = range(99999) | list %}{{ [l, l, l, l, l, l, l, l] | sum(start=[]) | length }}",
        "{{ 1.5 | round(999999999, 'ceil') }}",
        "{{ (1).to_bytes(999999999) | length }}",
        "{{ 10 ** 999999999 }}",
        "{{ lipsum(n=99999) }}",
        "{{ [[1]] | tojson(indent=999999999) | length }}",
        "{{ [1] | batch(99999999, 0) | list | length }}",
        "{% set _ = INPUT.tags.append(1) %}{{ INPUT.tags }}",
        "x {{ namespace(a=1) }}",
    ],
)
def test_a_template_that_makes_too_much_is_refused_before_it_does(template: str) -> None:
    inputs = {"tags": ["a"]}

    with pytest.raises(InvalidRequest):
        render(template, inputs)

    assert inputs == {"tags": ["a"]}
