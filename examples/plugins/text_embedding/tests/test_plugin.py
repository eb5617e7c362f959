"""What this plugin promises, checked on the real model."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from plugin.manifest import TextEmbeddingInput, features, metadata
from plugin.pipeline import build_steps
from plugin.processors.core import VECTOR, TextEmbeddingConfig, TextEmbeddingProcessor
from plugin.processors.encoder import DIMENSIONS, load_encoder
from plugin.realtime import RealtimeHandler


def run(**columns):
    return TextEmbeddingProcessor(TextEmbeddingConfig())(pd.DataFrame(columns))


def test_the_manifest_declares_the_vector_that_the_processor_writes():
    assert [(f["feature_name"], f["embedding_dim"]) for f in features] == [(VECTOR, DIMENSIONS)]


def test_the_input_schema_asks_for_text():
    with pytest.raises(ValueError, match="text"):
        TextEmbeddingInput()


def test_the_pipeline_has_one_step_for_the_given_parameters():
    request = SimpleNamespace(extractor_config=SimpleNamespace(parameters={"threads": 2}))

    steps = build_steps(request)["steps"]

    assert len(steps) == 1


def test_an_unknown_parameter_value_is_refused():
    request = SimpleNamespace(extractor_config=SimpleNamespace(parameters={"threads": 0}))

    with pytest.raises(ValueError, match="threads"):
        build_steps(request)


def test_every_text_becomes_a_unit_vector():
    vectors = np.stack(run(text=["Hello world", "Sorting by merging"])[VECTOR])

    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_near_meanings_are_nearer_than_far_ones():
    query, near, far = run(text=["sort a list", "an algorithm that orders numbers", "my cat sleeps all day"])[VECTOR]

    assert query @ near > query @ far + 0.2


def test_without_a_text_column_the_data_column_is_read():
    assert np.allclose(run(data=["Hello world"])[VECTOR][0], run(text=["Hello world"])[VECTOR][0])


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  \n"])
def test_a_row_without_text_has_no_vector_and_the_others_keep_theirs(missing):
    vectors = run(text=["one", missing, "two"])[VECTOR]

    assert vectors[1] is None
    assert np.allclose(vectors[2], run(text=["two"])[VECTOR][0], atol=1e-5)


def test_a_table_without_rows_stays_without_rows():
    result = run(text=[])

    assert len(result) == 0
    assert VECTOR in result.columns


def test_rows_and_their_other_columns_keep_their_order():
    texts = ["a text that needs more tokens than its neighbours do", "short", "of middling size"]
    result = run(text=texts, document_id=list("abc"))

    alone = load_encoder().encode(["short"])[0]
    assert list(result["document_id"]) == list("abc")
    assert np.allclose(result[VECTOR][1], alone, atol=1e-5)


def test_a_very_long_text_is_cut_not_refused():
    [vector] = run(text=["word " * 5000])[VECTOR]

    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_realtime_agrees_with_the_batch():
    batch = run(text=["Hello world", "Sorting by merging"])[VECTOR]

    one = RealtimeHandler().predict({"text": "Hello world"})["embedding"]
    many = RealtimeHandler().predict({"texts": ["Hello world", "Sorting by merging"], "parameters": {}})["embeddings"]

    assert np.allclose(one, batch[0], atol=1e-5)
    assert np.allclose(many, np.stack(batch), atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"text": ""}, {"text": 3}, {"texts": "abc"}, {"texts": ["a", None]}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)


def test_the_version_has_three_numbers():
    assert len(metadata["version"].split(".")) == 3
