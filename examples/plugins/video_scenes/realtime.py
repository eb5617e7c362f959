"""Realtime inference: a still picture or a clip in, its vector out, from the decoder that the batch uses."""

from typing import Any

from .manifest import VideoScenesParams
from .processors.scenes import find_scenes


class RealtimeHandler:
    """Describes `video`, a picture or a clip; also how a query by picture gets its vector."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `{"video": address}`: the looks of the longest scene, a picture's own."""
        address = request.get("video")
        if not isinstance(address, str) or not address:
            raise ValueError('Send {"video": "data:image/png;base64,…"}, a clip, or the address of an asset')
        params = VideoScenesParams(**(request.get("parameters") or {}))
        scenes = find_scenes(address, params.frames_per_second, params.change)
        return {"embedding": max(scenes, key=lambda scene: scene.end_s - scene.start_s).vector.tolist()}
