"""What this plugin promises, checked on real pictures and the real model."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plugin.manifest import CaptionedImagesParams, features
from plugin.pipeline import build_steps
from plugin.processors.captions import VECTOR as TEXT_VECTOR
from plugin.processors.captions import CaptionProcessor
from plugin.processors.encoder import DIMENSIONS as TEXT_DIMENSIONS
from plugin.processors.looks import VECTOR as IMAGE_VECTOR
from plugin.processors.looks import LooksProcessor
from plugin.processors.perception import DIMENSIONS as IMAGE_DIMENSIONS
from plugin.realtime import RealtimeHandler

SAMPLES = Path(__file__).parent.parent / "samples"
CAPTIONS = {
    "sunset.jpg": "The sun goes down over a calm sea",
    "forest.png": "Tall trees on a summer morning",
    "tiles.png": "The kitchen floor after it was tiled",
}


def run(rows):
    batch = pd.DataFrame(rows)
    for processor in (CaptionProcessor, LooksProcessor):
        batch = processor(CaptionedImagesParams())(batch)
    return batch


@pytest.fixture(scope="module")
def made():
    return run([{"text": text, "image": str(SAMPLES / name)} for name, text in CAPTIONS.items()])


def nearest(made, vector, request):
    return int((np.stack(made[vector]) @ np.array(RealtimeHandler().predict(request)[vector])).argmax())


def test_the_manifest_declares_the_two_vectors_that_the_steps_write():
    declared = [(f["feature_name"], f["embedding_dim"]) for f in features]

    assert declared == [(TEXT_VECTOR, TEXT_DIMENSIONS), (IMAGE_VECTOR, IMAGE_DIMENSIONS)]


def test_the_pipeline_has_two_steps_and_refuses_a_parameter_out_of_range():
    def request(**parameters):
        return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))

    assert len(build_steps(request())["steps"]) == 2
    with pytest.raises(ValueError, match="threads"):
        build_steps(request(threads=0))


@pytest.mark.parametrize("vector", [TEXT_VECTOR, IMAGE_VECTOR])
def test_every_row_gets_both_vectors_in_unit_length(made, vector):
    assert np.allclose(np.linalg.norm(np.stack(made[vector]), axis=1), 1, atol=1e-5)


def test_words_find_the_caption_that_means_the_same(made):
    assert nearest(made, TEXT_VECTOR, {"text": "dusk at the ocean"}) == 0


@pytest.mark.parametrize("key", ["image", "content"])
def test_a_poor_copy_finds_the_picture_that_looks_the_same(made, key):
    file = BytesIO()
    with Image.open(SAMPLES / "forest.png") as picture:
        picture.convert("RGB").resize((50, 37)).save(file, "JPEG", quality=40)

    address = f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"
    assert nearest(made, IMAGE_VECTOR, {key: address}) == 1


def test_a_row_that_lacks_one_of_the_two_has_the_vector_of_the_other():
    rows = run([{"text": "Only words", "image": None}, {"text": " ", "image": str(SAMPLES / "tiles.png")}])

    assert [vector is None for vector in rows[TEXT_VECTOR]] == [False, True]
    assert [vector is None for vector in rows[IMAGE_VECTOR]] == [True, False]


def test_rows_without_a_column_for_pictures_have_no_looks():
    assert run([{"text": "Only words"}])[IMAGE_VECTOR].tolist() == [None]


def test_realtime_agrees_with_the_batch(made):
    answer = RealtimeHandler().predict({"text": CAPTIONS["sunset.jpg"], "image": str(SAMPLES / "sunset.jpg")})

    assert np.allclose(answer[TEXT_VECTOR], made[TEXT_VECTOR][0], atol=1e-5)
    assert np.allclose(answer[IMAGE_VECTOR], made[IMAGE_VECTOR][0], atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"text": " "}, {"image": 3}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)
