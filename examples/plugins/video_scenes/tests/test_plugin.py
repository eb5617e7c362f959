"""What this plugin promises, checked on real videos."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pandas as pd
import pytest
from plugin.manifest import VideoScenesParams, explodes, features
from plugin.pipeline import build_steps
from plugin.processors.core import VECTOR, VideoScenesProcessor
from plugin.processors.frames import read_frames
from plugin.processors.perception import DIMENSIONS
from plugin.realtime import RealtimeHandler

SAMPLES = Path(__file__).parent.parent / "samples"
EVENING, FLOOR = str(SAMPLES / "evening.mp4"), str(SAMPLES / "floor.mp4")


def run(*addresses, **params):
    names = [f"doc_{number}" for number in range(len(addresses))]
    return VideoScenesProcessor(VideoScenesParams(**params))(pd.DataFrame({"document_id": names, "data": addresses}))


def still_of(path, at_s):
    """Return the frame at a time as a PNG, as a person would take a screenshot."""
    file = BytesIO()
    with av.open(path) as video, av.open(file, "w", format="image2pipe") as picture:
        frame = next(frame for frame in video.decode(video=0) if frame.time >= at_s).reformat(format="rgb24")
        frame.pts = None
        stream = picture.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "rgb24"
        picture.mux(stream.encode(frame))
        picture.mux(stream.encode(None))
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def test_the_manifest_declares_the_vector_that_the_processor_writes_for_each_part():
    assert [(f["feature_name"], f["embedding_dim"]) for f in features] == [(VECTOR, DIMENSIONS)]
    assert explodes


def test_the_pipeline_has_one_step_and_refuses_a_parameter_out_of_range():
    def request(**parameters):
        return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))

    assert len(build_steps(request(change=0.5))["steps"]) == 1
    with pytest.raises(ValueError, match="frames_per_second"):
        build_steps(request(frames_per_second=0))


def test_every_scene_of_every_video_becomes_a_row_that_says_where_it_stands():
    made = run(EVENING, FLOOR)

    assert list(zip(made["document_id"], made["scene"], strict=True)) == [("doc_0", 1), ("doc_0", 2), ("doc_1", 1)]
    assert made["start_s"].tolist() == [0, 1, 0]
    assert (made["end_s"] < [1, 2, 1]).all()
    assert np.allclose(np.linalg.norm(np.stack(made[VECTOR]), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("path", "at_s", "row"), [(EVENING, 0.6, 0), (EVENING, 1.3, 1), (FLOOR, 0.4, 2)])
def test_a_still_picture_is_nearest_to_the_scene_that_it_is_from(path, at_s, row):
    vectors = np.stack(run(EVENING, FLOOR)[VECTOR])

    query = np.array(RealtimeHandler().predict({"video": still_of(path, at_s)})["embedding"])

    assert int((vectors @ query).argmax()) == row


def test_how_many_frames_are_looked_at_is_a_parameter():
    assert [frame.at_s for frame in read_frames(FLOOR, 2)] == [0, 0.5]
    assert len(list(read_frames(FLOOR, 30))) == 8  # as many as there are


def test_how_much_must_change_is_a_parameter():
    assert run(EVENING, change=1)["scene"].tolist() == [1]


def test_realtime_describes_a_clip_by_its_longest_scene():
    one = RealtimeHandler().predict({"video": FLOOR})["embedding"]

    assert np.allclose(one, run(FLOOR)[VECTOR][0], atol=1e-5)


@pytest.mark.parametrize("request_", [{}, {"video": ""}, {"video": 3}])
def test_realtime_says_what_to_send(request_):
    with pytest.raises(ValueError, match="Send"):
        RealtimeHandler().predict(request_)


def test_a_file_that_cannot_be_decoded_is_the_fault_of_its_row():
    with pytest.raises(ValueError, match="Invalid data"):
        run("data:video/mp4;base64,bm90IGEgdmlkZW8=")
