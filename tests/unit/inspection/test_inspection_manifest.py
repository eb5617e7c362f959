"""Manifest checks: what was meant, on which line, and that one mistake is said once."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

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
