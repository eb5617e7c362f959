"""What video_scenes is called, what it reads, and which features it writes."""

from pydantic import BaseModel, Field


class VideoScenesInput(BaseModel):
    """One video to look at."""

    video: str = Field(description="Address of a video or of a still picture: an asset, or `data:image/png;base64,…`")


class VideoScenesOutput(BaseModel):
    """What one scene of a video becomes."""

    video_scenes_vector: list[float] = Field(description="256 floats of unit length: the looks of the scene")
    scene: int = Field(description="Its place in the video, from 1")
    start_s: float = Field(description="Where it begins, in seconds")
    end_s: float = Field(description="Where the last frame that was looked at stands, in seconds")


class VideoScenesParams(BaseModel):
    """Settings a collection may choose."""

    frames_per_second: float = Field(default=2.0, gt=0, le=30, description="How many frames are looked at")
    change: float = Field(
        default=0.25, gt=0, le=1, description="How different a frame must look to begin a scene: 1 minus the cosine"
    )


metadata = {
    "feature_extractor_name": "video_scenes",
    "version": "1.0.0",
    "description": "Finds scenes of videos by a still picture, with their times",
    "category": "video",
    "author": "Mixpeek",
}

input_schema = VideoScenesInput
output_schema = VideoScenesOutput
parameter_schema = VideoScenesParams
supported_input_types = ["video"]

# One row becomes several: each scene is a document of its own, with a place among its row's.
explodes = True

features = [
    {
        "feature_type": "embedding",
        "feature_name": "video_scenes_vector",
        "embedding_dim": 256,
        "distance_metric": "cosine",
        "description": "Looks of the scene; near vectors mean scenes that look alike",
    },
]

dependencies = ["av>=15"]

# Videos are long, so few are decoded in one call, and that may take its time.
compute_profile = {"resource_type": "cpu", "batch_size": 2, "timeout_s": 600}
