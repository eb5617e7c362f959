"""What a rollout probes a plugin with, and which answers it lets pass."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.deployments.gate import advice_on_missing_module, faults_of_reply, manifests_differ
from mixpeek.deployments.probe import probe_from_manifest
from mixpeek.examination.vectors import fault_of_vector, vector_from_reply

WORDS = Feature(feature_type="embedding", feature_name="words", embedding_dim=2)
SOUND = Feature(feature_type="embedding", feature_name="sound", embedding_dim=3)


def manifest(*features: Feature, **fields: Any) -> Manifest:
    return Manifest(feature_extractor_name="some_words", version="1.0.0", features=list(features), **fields)


def test_a_schemas_own_example_is_the_probe_and_not_synthetic() -> None:
    schema = {"properties": {"text": {"type": "string"}}, "examples": [{"text": "an example"}]}

    probe = probe_from_manifest(manifest(WORDS, input_schema=schema))

    assert probe is not None
    assert (probe.inputs, probe.synthetic) == ({"text": "an example"}, False)


@pytest.mark.parametrize(
    ("properties", "name"),
    [({"text": {"type": "string"}}, "text"), ({"title": {"type": "string"}}, "title"), ({}, "text")],
)
def test_without_an_example_a_sentence_under_the_schemas_first_text_is_the_probe(
    properties: dict[str, Any], name: str
) -> None:
    probe = probe_from_manifest(manifest(WORDS, input_schema={"properties": properties}))

    assert probe is not None
    assert list(probe.inputs) == [name]
    assert probe.synthetic


def test_a_plugin_that_takes_only_what_nothing_is_built_in_for_has_no_probe() -> None:
    assert probe_from_manifest(manifest(WORDS, supported_input_types=["video"])) is None


@pytest.mark.parametrize(
    "reply",
    [
        {"words": [1.0, 2.0]},
        {"embedding": [1.0, 2.0]},
        {"embeddings": [[1.0, 2.0]]},
        {"embeddings": [[1.0, 2.0], [3.0, 4.0]]},
        {"words": [[1.0, 2.0]], "embedding": [9.0]},
    ],
)
def test_every_documented_place_of_a_vector_is_read(reply: dict[str, Any]) -> None:
    assert vector_from_reply(reply, WORDS, only_feature=True) == [1.0, 2.0]
    assert faults_of_reply(reply, manifest(WORDS)) == []


def test_with_several_features_a_vector_needs_its_features_name() -> None:
    assert vector_from_reply({"embedding": [1.0, 2.0]}, WORDS, only_feature=False) is None
    assert "it needs 'words', 'sound'" in faults_of_reply({"embedding": [1.0, 2.0]}, manifest(WORDS, SOUND))[0]


def test_a_handler_may_serve_one_of_several_features_but_that_one_must_be_right() -> None:
    assert faults_of_reply({"words": [1.0, 2.0]}, manifest(WORDS, SOUND)) == []
    assert len(faults_of_reply({"words": [1.0, 2.0], "sound": [1.0]}, manifest(WORDS, SOUND))) == 1


@pytest.mark.parametrize("reply", [None, [], "text", {}, {"other": [1.0, 2.0]}, {"embedding": 3}, {"embedding": "ab"}])
def test_a_reply_without_a_vector_is_a_fault_that_says_what_came(reply: Any) -> None:
    [fault] = faults_of_reply(reply, manifest(WORDS))

    assert "it needs 'words' or 'embedding'" in fault


def test_a_plugin_without_embeddings_may_answer_anything() -> None:
    assert faults_of_reply({"label": "cat"}, manifest()) == []


NUMBERS = st.floats() | st.integers(-(10**6), 10**6) | st.none() | st.text(max_size=2)


@given(st.lists(NUMBERS, max_size=4))
def test_a_vector_passes_only_with_the_declared_number_of_finite_numbers(vector: list[Any]) -> None:
    is_right = len(vector) == 2 and all(isinstance(n, int | float) and math.isfinite(n) for n in vector)

    assert (fault_of_vector(vector, WORDS) is None) == is_right


VECTORS = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)


def test_manifests_are_compared_without_their_version() -> None:
    stored = manifest(WORDS).model_dump(mode="json")
    bumped = {**stored, "version": "1.0.1"}
    changed = {**stored, "features": [], "category": "image"}

    assert manifests_differ(bumped, stored) == []
    assert manifests_differ(changed, stored) == ["category", "features"]


def test_a_missing_module_is_answered_with_the_dependency_to_declare() -> None:
    text = "ModuleNotFoundError: No module named 'sentence_transformers.util'"

    assert 'dependencies = ["sentence-transformers"]' in str(advice_on_missing_module("ModuleNotFoundError", text))
    assert advice_on_missing_module("ValueError", text) is None
