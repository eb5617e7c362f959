"""What this plugin promises, checked on real pictures."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plugin.manifest import ImageSimilarityParams, features
from plugin.pipeline import build_steps
from plugin.processors.core import VECTOR, ImageSimilarityProcessor
from plugin.processors.perception import DIMENSIONS
from plugin.realtime import RealtimeHandler

SAMPLES = Path(__file__).parent.parent / "samples"
SUNSET, FOREST, TILES = (str(SAMPLES / name) for name in ("sunset.jpg", "forest.png", "tiles.png"))


def run(*addresses, **params):
    return ImageSimilarityProcessor(ImageSimilarityParams(**params))(pd.DataFrame({"data": addresses}))


def address_of(picture, kind="PNG", **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{b64encode(file.getvalue()).decode()}"


def smaller_copy(path):
    with Image.open(path) as picture:
        return address_of(picture.convert("RGB").resize((50, 37)), "JPEG", quality=40)


def test_the_manifest_declares_the_vector_that_the_processor_writes():
    assert [(f["feature_name"], f["embedding_dim"]) for f in features] == [(VECTOR, DIMENSIONS)]


def test_the_pipeline_has_one_step_and_refuses_a_parameter_out_of_range():
    def request(**parameters):
        return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))

    assert len(build_steps(request(edge_weight=0))["steps"]) == 1
    with pytest.raises(ValueError, match="colour_weight"):
        build_steps(request(colour_weight=0))


def test_every_picture_becomes_a_unit_vector_and_four_values():
    made = run(SUNSET, FOREST, TILES)

    assert np.stack(made[VECTOR]).shape == (3, 256)
    assert np.allclose(np.linalg.norm(np.stack(made[VECTOR]), axis=1), 1, atol=1e-5)
    assert (made["width"][0], made["height"][0]) == (96, 72)
    assert made["average_colour"].str.fullmatch("#[0-9a-f]{6}").all()
    assert made["fingerprint"].nunique() == 3


@pytest.mark.parametrize("path", [SUNSET, FOREST, TILES])
def test_a_smaller_copy_of_poor_quality_is_nearer_to_its_original_than_any_other_picture(path):
    others = [each for each in (SUNSET, FOREST, TILES) if each != path]
    made = run(path, smaller_copy(path), *others)
    original, copy, *rest = made[VECTOR]

    assert original @ copy > 0.95
    assert all(original @ copy > other @ copy + 0.1 for other in rest)
    differing = int(made["fingerprint"][0], 16) ^ int(made["fingerprint"][1], 16)
    assert differing.bit_count() <= 6


def test_a_picture_of_one_colour_has_a_vector_that_is_all_colour():
    red, also_red, blue = run(*(address_of(Image.new("RGB", (9, 5), name)) for name in ("red", "#f80808", "blue")))[
        VECTOR
    ]

    assert red @ also_red > 0.8
    assert red @ blue < 0.1


def test_what_is_transparent_counts_as_white():
    hidden_red = address_of(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))

    assert run(hidden_red)["average_colour"][0] == "#ffffff"


def test_a_weight_decides_what_counts():
    ignoring = run(SUNSET, SUNSET, layout_weight=0, edge_weight=0)[VECTOR][0]

    assert not ignoring[64:].any()


def test_realtime_agrees_with_the_batch_for_the_same_parameters():
    one = RealtimeHandler().predict({"image": SUNSET, "parameters": {"colour_weight": 2}})["embedding"]

    assert np.allclose(one, run(SUNSET, colour_weight=2)[VECTOR][0], atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"image": ""}, {"image": 3}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)


def test_a_file_that_is_no_picture_is_the_fault_of_its_row_and_of_no_other():
    with pytest.raises(OSError, match="cannot identify image"):
        run("data:image/png;base64,bm90IGEgcGljdHVyZQ==")
