"""The batch step: takes a table of videos, returns a table of their scenes."""

from typing import Any

import pandas as pd

from shared.plugins.sdk import parallel_io

from ..manifest import VideoScenesParams
from .scenes import Scene, find_scenes

VECTOR = "video_scenes_vector"


class VideoScenesProcessor:
    """Returns a row for each scene of each video: its place, its times, and its vector of 256 floats."""

    def __init__(self, config: VideoScenesParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the scenes of the videos in `batch`; `data` holds the address of each video.

        `document_id` says whose scene a row is. Other columns of the video need not be repeated: the platform gives
        them to each of its scenes.
        """

        def look(address: str) -> list[Scene]:
            return find_scenes(address, self.config.frames_per_second, self.config.change)

        found = parallel_io(look, batch["data"], max_workers=2)
        scenes = [scene for each in found for scene in each]
        return pd.DataFrame(
            {
                "document_id": batch["document_id"].repeat([len(each) for each in found]).tolist(),
                VECTOR: [scene.vector for scene in scenes],
                "scene": [number for each in found for number, _ in enumerate(each, start=1)],
                "start_s": [scene.start_s for scene in scenes],
                "end_s": [scene.end_s for scene in scenes],
            }
        )
