"""The manifest's models, versions and feature addresses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixpeek.contract.features import FeatureUri
from mixpeek.contract.fields import MANIFEST_FIELDS
from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.contract.versions import NAME_PATTERN, next_patch, normalise_version, plugin_id_from, version_key

VECTOR = {"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 2}


def manifest(**changes: Any) -> Manifest:
    return Manifest.model_validate({"feature_extractor_name": "sample", "version": "1.0.0", **changes})


def test_the_names_the_host_reads_are_the_fields_of_the_manifest() -> None:
    assert set(MANIFEST_FIELDS) == set(Manifest.model_fields)


def test_a_manifest_normalises_its_version_and_finds_its_embeddings() -> None:
    declared = manifest(version="v2", features=[VECTOR, {"feature_type": "label", "feature_name": "tone"}])

    assert declared.version == "2.0.0"
    assert [feature.uri(declared) for feature in declared.embeddings] == ["mixpeek://sample@2.0.0/vector"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"models": ["x"]}, "models"),
        ({"feature_extractor_name": "a-b"}, "feature_extractor_name"),
        ({"version": "one"}, "version"),
        ({"compute_profile": {"cpus": 1}}, "cpus"),
        ({"features": [{**VECTOR, "dimensions": 2}]}, "dimensions"),
        ({"features": [{"feature_type": "embedding", "feature_name": "vector"}]}, "declares no embedding_dim"),
        ({"features": [{**VECTOR, "embedding_dim": 0}]}, "embedding_dim"),
        ({"features": [{**VECTOR, "embedding_dim": 65536}]}, "embedding_dim"),
        ({"features": [{**VECTOR, "distance_metric": "manhattan"}]}, "distance_metric"),
        ({"features": [VECTOR, VECTOR]}, "share the name vector"),
        ({"parity": "loose"}, "parity"),
    ],
)
def test_a_manifest_refuses(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        manifest(**changes)


@pytest.mark.parametrize(("written", "kept"), [("euclidean", "euclid"), ("Cosine", "cosine"), ("dot", "dot")])
def test_a_metric_has_one_spelling(written: str, kept: str) -> None:
    assert Feature.model_validate({**VECTOR, "distance_metric": written}).distance_metric == kept


@pytest.mark.parametrize(
    ("written", "normal"),
    [("v1", "1.0.0"), ("1", "1.0.0"), ("1.2", "1.2.0"), ("V1.2.3", "1.2.3"), (" 1.2.3 ", "1.2.3")],
)
def test_a_version_has_three_numbers(written: str, normal: str) -> None:
    assert normalise_version(written) == normal


@pytest.mark.parametrize("written", ["", "v", "1.2.3.4", "1.0.0-beta", "latest", "1..2", "-1", "١.0.0"])
def test_other_versions_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        normalise_version(written)


@given(st.tuples(*[st.integers(0, 999_999)] * 3))
def test_a_normal_version_stays_as_it_is(numbers: tuple[int, int, int]) -> None:
    text = ".".join(map(str, numbers))

    assert normalise_version(text) == text
    assert version_key(text) == numbers


def test_a_plugin_id_joins_name_and_version() -> None:
    assert plugin_id_from("text_embed", "v1") == "text_embed_1_0_0"


def test_the_next_patch_follows_the_highest_version() -> None:
    assert next_patch([]) == "1.0.0"
    assert next_patch(["1.9.0", "1.10.4", "1.10.3"]) == "1.10.5"


def test_names_start_with_a_letter_and_have_three_to_sixty_four_characters() -> None:
    assert NAME_PATTERN.match("text_embed")
    assert not any(NAME_PATTERN.match(name) for name in ("ab", "1abc", "a-bc", "a" * 65))


@pytest.mark.parametrize("text", ["mixpeek://a@v1", "mixpeek://text_embed@1.0.0/text_embedding"])
def test_a_feature_address_is_kept_as_written(text: str) -> None:
    assert str(FeatureUri.parse(text)) == text


@pytest.mark.parametrize("text", ["text_embed", "mixpeek://a", "http://a@1/b", "mixpeek://a@1/b/c", "mixpeek://@1/b"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a feature address"):
        FeatureUri.parse(text)


@pytest.mark.parametrize(
    "version", ["01.0.0", "1.00.0", "1.0.0-rc1", "1.0.0+x", "1.2.3.4", "1" * 7, "1.0.0\n2", "１.0.0"]
)
def test_a_version_of_another_form_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        normalise_version(version)
