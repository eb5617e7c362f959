"""What manifest.py shows without being run: its literals, and nothing about what only a run would tell."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from mixpeek.inspection.findings import Finding
from mixpeek.inspection.manifest import check_manifest_text
from mixpeek.inspection.manifest_source import ManifestSource

FEATURE = '{"feature_name": "vector", "feature_type": "embedding", "embedding_dim": 3}'


def shown(source: str) -> tuple[dict[str, Any], list[Finding]]:
    return check_manifest_text(ManifestSource.read(dedent(source)))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("version = 'v1'", {"version": "v1"}),
        ("metadata = {'version': 'v1', 'category': 'text'}", {"version": "v1", "category": "text"}),
        ("metadata = dict(version='v1')", {"version": "v1"}),
        ("V = 'v1'\nmetadata: dict = {'version': V}", {"version": "v1"}),
        ("features = [{'embedding_dim': -3}]", {"features": [{"embedding_dim": -3}]}),
        ("features = ({'a': 1.5, 'b': None, 'c': True},)", {"features": [{"a": 1.5, "b": None, "c": True}]}),
        ("version = make()", {}),
        ("version = 'v' + '1'", {}),
        ("version = '1'\nversion = '2'", {}),
        ("version = '1'\nif x:\n    version = '2'", {}),
        ("version = '1'\nfrom elsewhere import version", {}),
        ("features = []\nfeatures.append(1)", {}),
        ("features = [1]\nfeatures[0] = 2", {}),
        ("features = [*others]", {}),
        ("metadata = {**others, 'version': '1'}", {}),
        ("metadata = {key: 'v1'}", {}),
        ("metadata = {'version': make(), 'category': 'text'}", {"category": "text"}),
        ("def dict(**kw): ...\nversion = version", {}),
        ("features = [features]", {"features": [None]}),
        ("broken(", {}),
    ],
)
def test_only_values_written_out_in_full_are_read(source: str, value: dict[str, Any]) -> None:
    raw, _ = shown(source)

    assert raw == value


def test_faults_of_literals_are_found_with_their_places() -> None:
    _, findings = shown(
        """\
        metadata = {"feature_extractor_name": "no-dashes", "version": "1.0.0-rc1"}
        input_schema = {"type": "strin"}
        features = [{"name": "a", "type": "embedding", "dimensions": 3}]
        dependencies = ["-r requirements.txt"]
        """
    )

    assert [(finding.line, finding.rule) for finding in findings] == [
        (1, "manifest.invalid_name"),
        (1, "manifest.invalid_value"),
        (2, "manifest.invalid_schema"),
        *[(3, "manifest.unknown_key")] * 3,
        (4, "dependencies.invalid"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "metadata = {'version': '1.0.0'}",
        f"features = [{FEATURE}, make()]",
        "features = [{'feature_name': 'vector', 'feature_type': 'embedding', 'embedding_dim': size()}]",
        "features = [{'feature_name': 'vector', 'feature_type': 'embedding', **more}]",
        "input_schema = {'type': 'object', 'properties': {'a': {'$ref': '#/$defs/b'}}, '$defs': make()}",
        "class Input: ...\ninput_schema = Input",
    ],
)
def test_nothing_is_said_about_what_only_a_run_would_show(source: str) -> None:
    _, findings = shown(source)

    assert findings == []


def test_aliases_that_double_at_every_line_are_read_in_bounded_time() -> None:
    lines = ["a0 = ['x']", *(f"a{n} = [{', '.join([f'a{n - 1}'] * 10)}]" for n in range(1, 12))]

    raw, _ = shown("\n".join(lines) + "\ncost_rates = a11")

    assert "cost_rates" in raw or raw == {}
