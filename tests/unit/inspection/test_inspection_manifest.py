"""Manifest checks: what was meant, on which line, and that one mistake is said once."""

from __future__ import annotations

import json
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixpeek.contract.fields import MANIFEST_FIELDS
from mixpeek.contract.manifest import Feature
from mixpeek.inspection.findings import Severity
from mixpeek.inspection.manifest import check_manifest

SOURCE = dedent(
    """\
    metadata = {
        "feature_extractor_name": "text_embed",
        "version": "1.0.0",
        "category": "text",
    }
    features = [
        {
            "feature_name": "text_embedding",
            "feature_type": "embedding",
            "embedding_dim": 384,
        },
    ]
    dependencies = ["tokenizers>=0.20"]
    """
)


def json_depth(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def raw(**changes: Any) -> dict[str, Any]:
    feature = {"feature_name": "text_embedding", "feature_type": "embedding", "embedding_dim": 384}
    return {
        "feature_extractor_name": "text_embed",
        "version": "1.0.0",
        "category": "text",
        "features": [feature],
        "dependencies": ["tokenizers>=0.20"],
        **changes,
    }


def test_a_plain_manifest_has_no_finding() -> None:
    manifest, findings = check_manifest(raw(), SOURCE)

    assert findings == []
    assert manifest is not None
    assert manifest.embeddings[0].embedding_dim == 384


@pytest.mark.parametrize(
    ("wrong", "meant", "value"),
    [
        ("dimensions", "embedding_dim", 384),
        ("dim", "embedding_dim", 384),
        ("embeding_dim", "embedding_dim", 384),
        ("type", "feature_type", "embedding"),
        ("name", "feature_name", "text_embedding"),
        ("distance", "distance_metric", "cosine"),
    ],
)
def test_a_wrong_feature_key_is_one_finding_with_its_line_and_what_was_meant(
    wrong: str, meant: str, value: Any
) -> None:
    feature = {"feature_name": "text_embedding", "feature_type": "embedding", "embedding_dim": 384}
    feature.pop(meant, None)
    source = f'features = [\n    {{\n        "{wrong}": {value!r},\n    }},\n]\n'

    manifest, findings = check_manifest(raw(features=[{**feature, wrong: value}]), source)

    (finding,) = findings
    assert manifest is None
    assert (finding.rule, finding.path, finding.line, finding.column) == ("manifest.unknown_key", "manifest.py", 3, 9)
    assert f"did you mean `{meant}`" in finding.message


def test_values_below_a_misspelt_key_are_checked_too() -> None:
    _, findings = check_manifest(raw(features=[{"name": "a", "type": "embedding", "dimensions": 0}]))

    rules = [finding.rule for finding in findings]
    assert rules.count("manifest.unknown_key") == 3
    assert rules.count("manifest.invalid_value") == 1


@pytest.mark.parametrize(
    ("changes", "rule", "line"),
    [
        ({"version": "one"}, "manifest.invalid_value", 3),
        ({"feature_extractor_name": "no-dashes"}, "manifest.invalid_name", 2),
        ({"colour": "red"}, "manifest.unknown_key", 1),
        ({"models": ["x"]}, "manifest.invalid_value", 1),
        ({"dependencies": ["tokenizers @ https://example.test/t.whl"]}, "dependencies.url", 13),
        ({"dependencies": ["--index-url=x"]}, "dependencies.invalid", 13),
        ({"dependencies": ["not a name!"]}, "dependencies.invalid", 13),
        ({"dependencies": [7]}, "manifest.invalid_value", 13),
        ({"features": [{"feature_name": "e", "feature_type": "embedding"}]}, "manifest.invalid_value", 7),
        ({"features": [{"feature_name": "data", "feature_type": "value"}]}, "manifest.reserved_name", 8),
        ({"features": "text_embedding"}, "manifest.invalid_value", 6),
        ({"compute_profile": {"resource": "gpu"}}, "manifest.unknown_key", None),
    ],
)
def test_each_fault_is_an_error_at_its_line(changes: dict[str, Any], rule: str, line: int | None) -> None:
    manifest, findings = check_manifest(raw(**changes), SOURCE)

    errors = [finding for finding in findings if finding.is_error]
    assert manifest is None
    assert [finding.rule for finding in errors] == [rule]
    assert line is None or errors[0].line == line
    assert errors[0].hint


def test_a_missing_name_is_said_to_be_missing() -> None:
    _, findings = check_manifest({"version": "v1"}, SOURCE)

    assert [finding.message for finding in findings if finding.is_error] == ["`feature_extractor_name` is missing"]


@pytest.mark.parametrize(
    ("changes", "source", "rule"),
    [
        ({"category": "smells"}, SOURCE, "manifest.unknown_category"),
        ({"features": []}, SOURCE, "manifest.no_features"),
        ({"output_schema": {"properties": {"embedding": {}}}}, SOURCE, "manifest.not_in_output_schema"),
        ({}, SOURCE + "supported_input_type = ['text']\n", "manifest.similar_name"),
    ],
)
def test_doubtful_things_are_warnings_and_do_not_refuse(changes: dict[str, Any], source: str, rule: str) -> None:
    manifest, findings = check_manifest(raw(**changes), source)

    assert manifest is not None
    assert [(finding.rule, finding.severity) for finding in findings] == [(rule, Severity.WARNING)]


def test_lines_are_found_through_names_calls_and_annotations() -> None:
    source = dedent(
        """\
        from typing import Any
        FEATURES: list[dict[str, Any]] = [
            dict(
                feature_name="a",
                size=3,
            ),
        ]
        features = FEATURES
        """
    )

    _, findings = check_manifest(raw(features=[{"feature_name": "a", "feature_type": "value", "size": 3}]), source)

    assert [(finding.line, finding.rule) for finding in findings] == [(5, "manifest.unknown_key")]


@pytest.mark.parametrize("source", [None, "", "def broken(:"])
def test_without_a_readable_source_findings_have_no_line(source: str | None) -> None:
    _, findings = check_manifest(raw(version="x"), source)

    assert [finding.line for finding in findings] == [None]


def test_faults_of_different_kinds_are_said_in_one_pass() -> None:
    _, findings = check_manifest(
        raw(
            version="1.0.0-rc1",
            features=[{"feature_name": "a", "feature_type": "embedding", "embedding_dim": True}, {"feature_name": "A"}],
            dependencies=["numpy", 7, "-e ."],
            input_schema={"type": "strin"},
        ),
        SOURCE,
    )

    assert {(finding.rule, finding.message.partition(":")[0]) for finding in findings if finding.is_error} == {
        ("manifest.invalid_value", "`version`"),
        ("manifest.invalid_value", "`features[0].embedding_dim` must be a whole number, not True"),
        ("manifest.missing_key", "`features[1].feature_type` is missing"),
        ("manifest.invalid_value", "`dependencies[1]` must be a text in quotes, not 7"),
        ("dependencies.invalid", "`-e .` is not a dependency"),
        ("manifest.invalid_schema", "`input_schema.type`"),
    }


@pytest.mark.parametrize(
    ("version", "repair"),
    [
        ("1.0.0-rc1", "leave out '-rc1'"),
        ("v1.2.3+local", "leave out '+local'"),
        ("01.0.0", "without leading zeros"),
        ("1.2.3.4", "it has 4 numbers"),
        ("1000000.0.0", "at most six digits"),
        ("latest", "write three numbers"),
    ],
)
def test_a_version_that_is_none_says_how_to_repair_it(version: str, repair: str) -> None:
    _, findings = check_manifest(raw(version=version))

    assert repair in findings[0].message


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        # Made when the test runs: every worker process reads every test module.
        (lambda: {f"key_{n}": n for n in range(1_000_000)}, "manifest.too_large"),
        (lambda: json_depth(200), "manifest.too_deep"),
        (lambda: "x" * 5_000_000, "manifest.too_large"),
        (lambda: float("inf"), "manifest.invalid_number"),
        (lambda: 2**64, "manifest.invalid_number"),
        (lambda: "\ud800", "manifest.invalid_text"),
        (lambda: {"a\0": 1}, "manifest.invalid_text"),
    ],
    ids=["keys", "depth", "length", "infinity", "64 bits", "surrogate", "null"],
)
def test_values_that_nothing_could_store_are_named_and_not_looked_at_further(
    make: Callable[[], Any], rule: str
) -> None:
    manifest, findings = check_manifest(raw(cost_rates=make()), SOURCE)

    assert manifest is None
    assert [finding.rule for finding in findings] == [rule]


def test_of_very_many_findings_the_errors_are_shown_and_the_rest_counted() -> None:
    features = [{"feature_name": f"f{n}", "feature_type": "embedding", "embedding_dim": 0} for n in range(250)]

    _, findings = check_manifest(raw(features=features, output_schema={"properties": {"x": {}}}), SOURCE)

    assert len(findings) == 201
    assert [finding.message for finding in findings if finding.rule == "manifest.more_findings"] == [
        "50 more findings about the manifest are not shown"
    ]


_texts = st.text(max_size=12) | st.sampled_from(
    ["\ud800", "\0", "$ref", "#/a/0", "type", "embedding", "a; b", "git+x://y"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=12,
)
_fields = st.dictionaries(st.sampled_from([*MANIFEST_FIELDS, "models", "naem"]), _values, max_size=6)


@given(fields=_fields)
def test_whatever_a_host_sends_becomes_findings_and_never_an_exception(fields: dict[str, Any]) -> None:
    manifest, findings = check_manifest({**raw(), **fields}, SOURCE)

    assert (manifest is None) == any(finding.is_error for finding in findings)
    json.dumps([finding.wire() for finding in findings]).encode()


@given(feature=st.dictionaries(st.sampled_from([*Feature.model_fields, "dim", "name"]), _values))
@example(feature={"feature_name": "a", "feature_type": "embedding", "embedding_dim": 3, "distance_metric": ["dot"]})
def test_whatever_a_feature_says_is_judged(feature: dict[str, Any]) -> None:
    check_manifest(raw(features=[feature, feature]), SOURCE)


@given(dependency=_texts | st.from_regex(r"[a-z]{1,3} ?(\[[a-z]\])?([<>=!~]=?[0-9.*+a-z]{1,5},?){0,3}(;.{0,9})?"))
def test_whatever_a_dependency_says_is_judged(dependency: str) -> None:
    check_manifest(raw(dependencies=[dependency, dependency, "numpy"]), SOURCE)


@given(schema=st.dictionaries(st.sampled_from(["type", "properties", "$ref", "$schema", "required", "enum"]), _values))
def test_whatever_a_schema_says_is_judged(schema: dict[str, Any]) -> None:
    check_manifest(raw(input_schema=schema, output_schema={"properties": schema}), SOURCE)
