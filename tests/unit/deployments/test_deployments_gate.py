"""What a rollout probes a plugin with, and which answers it lets pass."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.deployments.gate import (
    advice_on_missing_module,
    cosines,
    faults_of_columns,
    faults_of_reply,
    judge_parity,
    lacks_of_columns,
    manifests_differ,
    may_run_beside,
    takes,
    warning_of_refusal,
    warnings_of_uncompared,
)
from mixpeek.deployments.probe import Probe, probe_from_manifest
from mixpeek.errors import ParityBroken, PluginCrashed, PluginError, PluginRaised, PluginReplyInvalid, PluginTimedOut
from mixpeek.examination.vectors import fault_of_vector, vector_from_reply
from mixpeek.execution.port import GIB, HostSpec, Step

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


MADE_UP = Probe({"text": "x"}, {"text": "x"}, synthetic=True, origin="a made-up sentence")
OFFERED = Probe({"text": "x"}, {"text": "x"}, synthetic=False, origin="the first row of samples.json")


def test_a_pipelines_vectors_are_held_against_the_manifest_and_a_row_may_do_without() -> None:
    assert faults_of_columns({"words": [1.0, 2.0]}, manifest(WORDS)) == []
    assert faults_of_columns({"words": None}, manifest(WORDS)) == []
    assert faults_of_columns({"words": [1.0, math.nan]}, manifest(WORDS)) == [
        "in batch, feature 'words' holds a value that is not a finite number"
    ]
    assert "has 1 numbers" in faults_of_columns({"words": [1.0]}, manifest(WORDS))[0]
    assert faults_of_columns({"words": "text"}, manifest(WORDS)) == [
        "in batch, feature 'words' is not a list of numbers"
    ]


def test_a_declared_feature_that_the_pipeline_does_not_write_is_named_with_what_it_wrote() -> None:
    [lack] = lacks_of_columns({"wordz": [1.0, 2.0]}, manifest(WORDS))

    assert "does not write the declared feature 'words'; it wrote wordz" in lack
    assert lacks_of_columns({"words": None}, manifest(WORDS)) == []


def test_only_features_that_both_paths_gave_are_compared() -> None:
    columns = {"words": [1.0, 0.0], "sound": None}

    assert cosines({"words": [0.0, 1.0], "sound": [1.0, 0.0, 0.0]}, columns, manifest(WORDS, SOUND)) == {"words": 0.0}
    assert cosines({"embedding": [2.0, 0.0]}, columns, manifest(WORDS)) == {"words": 1.0}


def test_different_vectors_warn_with_the_figure_or_fail_where_parity_is_strict() -> None:
    [warning] = judge_parity({"words": 0.99, "sound": 0.9999}, manifest(WORDS, SOUND), OFFERED)

    assert warning.startswith("Realtime and batch differ in feature 'words': their cosine is 0.9900")
    assert "samples.json" in warning
    with pytest.raises(ParityBroken, match="in feature 'words'"):
        judge_parity({"words": 0.99}, manifest(WORDS, parity="strict"), OFFERED)
    assert judge_parity({"words": 0.9991}, manifest(WORDS, parity="strict"), OFFERED) == []


def test_strict_parity_that_could_not_be_checked_is_said() -> None:
    assert warnings_of_uncompared({}, manifest(WORDS)) == []
    assert warnings_of_uncompared({"words": 1.0}, manifest(WORDS, parity="strict")) == []
    assert warnings_of_uncompared({}, manifest(parity="strict")) == []
    assert "could not be checked" in warnings_of_uncompared({}, manifest(WORDS, parity="strict"))[0]


def test_what_we_made_up_may_be_refused_by_raising() -> None:
    warning = warning_of_refusal(PluginRaised("ValueError: only German"), MADE_UP, "The handler")

    assert warning is not None
    assert warning.startswith("The handler refused a made-up sentence (ValueError: only German)")


@pytest.mark.parametrize(
    ("error", "probe"),
    [
        (PluginRaised("ValueError: only German"), OFFERED),
        (PluginRaised("no weights", exception="mixpeek.contract.model_loading.ModelUnavailable"), MADE_UP),
        (PluginCrashed("was killed"), MADE_UP),
        (PluginTimedOut("too slow"), MADE_UP),
        (PluginReplyInvalid("NaN is no JSON"), MADE_UP),
    ],
)
def test_no_other_failure_is_a_refusal(error: PluginError, probe: Probe) -> None:
    assert warning_of_refusal(error, probe, "The handler") is None


def test_a_row_is_run_if_an_enabled_step_takes_its_type() -> None:
    def step(condition: str, *, enabled: bool = True) -> Step:
        return Step(0, "step", "cpu", condition, enabled)

    assert takes((step("is_text"),), MADE_UP)
    assert takes((step("is_image"), step("always")), MADE_UP)
    assert not takes((step("is_image"), step("is_text", enabled=False)), MADE_UP)


def test_two_hosts_run_at_once_only_without_gpu_and_in_half_of_the_free_memory() -> None:
    def spec(gib: int, *, gpu: bool = False) -> HostSpec:
        return HostSpec(Path(), "some_words", memory_bytes=gib * GIB, gpu=gpu)

    assert may_run_beside(spec(2), spec(2), 8 * GIB)
    assert not may_run_beside(spec(2), spec(3), 8 * GIB)
    assert not may_run_beside(spec(1), spec(1, gpu=True), 64 * GIB)
    assert not may_run_beside(spec(1), spec(1), 0)
