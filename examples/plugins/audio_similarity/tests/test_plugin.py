"""What this plugin promises, checked on real sounds."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from wave import open as open_wave

import numpy as np
import pandas as pd
import pytest
from plugin.manifest import AudioSimilarityParams, features
from plugin.pipeline import build_steps
from plugin.processors.core import VECTOR, AudioSimilarityProcessor
from plugin.processors.sound import RATE_HZ, read_sound
from plugin.processors.spectrum import DIMENSIONS, SILENCE_DB, describe
from plugin.realtime import RealtimeHandler

SAMPLES = Path(__file__).parent.parent / "samples"
BELL, RAIN, SIREN = (str(SAMPLES / name) for name in ("bell.ogg", "rain.ogg", "siren.wav"))


def run(*addresses, **params):
    return AudioSimilarityProcessor(AudioSimilarityParams(**params))(pd.DataFrame({"data": addresses}))


def wav(samples):
    file = BytesIO()
    with open_wave(file, "wb") as sound:
        sound.setparams((1, 2, RATE_HZ, len(samples), "NONE", ""))
        sound.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return f"data:audio/wav;base64,{b64encode(file.getvalue()).decode()}"


def tone(frequency_hz, seconds=0.5, strength=0.5):
    return strength * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def test_the_manifest_declares_the_vector_that_the_processor_writes():
    assert [(f["feature_name"], f["embedding_dim"]) for f in features] == [(VECTOR, DIMENSIONS)]


def test_the_pipeline_has_one_step_and_refuses_a_parameter_out_of_range():
    def request(**parameters):
        return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))

    assert len(build_steps(request(max_seconds=5))["steps"]) == 1
    with pytest.raises(ValueError, match="max_seconds"):
        build_steps(request(max_seconds=0))


def test_every_sound_becomes_a_unit_vector_and_three_values_whatever_its_format():
    made = run(BELL, RAIN, SIREN)

    assert np.stack(made[VECTOR]).shape == (3, 80)
    assert np.allclose(np.linalg.norm(np.stack(made[VECTOR]), axis=1), 1, atol=1e-5)
    assert np.allclose(made["duration_s"], 1, atol=0.05)
    assert made["loudness_db"].between(-60, 0).all()
    assert made["brightness_hz"].idxmax() == 1  # the hiss of rain


@pytest.mark.parametrize("path", [BELL, RAIN, SIREN])
def test_a_quiet_piece_of_a_sound_is_nearer_to_it_than_to_any_other(path):
    piece = wav(read_sound(path, 60)[: RATE_HZ * 3 // 4] * 0.3)
    others = [each for each in (BELL, RAIN, SIREN) if each != path]
    whole, part, *rest = run(path, piece, *others)[VECTOR]

    assert whole @ part > 0.8
    assert all(whole @ part > other @ part + 0.1 for other in rest)


def test_loudness_changes_a_value_and_not_the_vector():
    loud, quiet = describe(tone(440)), describe(tone(440, strength=0.05))

    assert loud.vector @ quiet.vector > 0.99
    assert loud.loudness_db - quiet.loudness_db == pytest.approx(20, abs=0.1)
    assert loud.brightness_hz == pytest.approx(440, abs=30)


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ), np.zeros(0)])
def test_silence_has_no_vector_and_the_others_keep_theirs(samples):
    made = run(wav(samples), wav(tone(440)))

    assert made[VECTOR][0] is None
    assert made["loudness_db"][0] == SILENCE_DB
    assert made[VECTOR][1].shape == (80,)
    with pytest.raises(ValueError, match="silent"):
        RealtimeHandler().predict({"audio": wav(samples)})


def test_a_sound_shorter_than_one_window_is_described_too():
    assert run(wav(tone(440, seconds=0.01)))[VECTOR][0].shape == (80,)


def test_what_lies_beyond_max_seconds_is_not_listened_to():
    assert run(SIREN, max_seconds=0.25)["duration_s"][0] == 0.25


def test_realtime_agrees_with_the_batch_for_the_same_parameters():
    one = RealtimeHandler().predict({"audio": SIREN, "parameters": {"max_seconds": 0.5}})["embedding"]

    assert np.allclose(one, run(SIREN, max_seconds=0.5)[VECTOR][0], atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"audio": ""}, {"audio": 3}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)


def test_a_file_that_cannot_be_decoded_is_the_fault_of_its_row():
    with pytest.raises(ValueError, match="Invalid data"):
        run("data:audio/wav;base64,bm90IGEgc291bmQ=")
