"""Cuts videos into scenes: a frame that looks different from the one before it begins a new one."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .frames import read_frames
from .perception import describe


@dataclass
class Scene:
    """A piece of a video, in seconds, and the looks of each of its frames."""

    start_s: float
    end_s: float
    looks: list[NDArray[np.float32]] = field(repr=False)

    @property
    def vector(self) -> NDArray[np.float32]:
        """What the scene looks like: the mean of its frames, shape `(256,)`, float32, unit length."""
        mean = np.mean(self.looks, axis=0)
        unit: NDArray[np.float32] = mean / np.linalg.norm(mean)
        return unit


def find_scenes(address: str, frames_per_second: float, change: float) -> list[Scene]:
    """Return the scenes of a video in order, at least one.

    Args:
        change: 1 minus the cosine between two frames from which on they belong to different scenes.

    Raises: as `read_frames`; ValueError too if no frame could be decoded.
    """
    scenes: list[Scene] = []
    for frame in read_frames(address, frames_per_second):
        look = describe(frame.pixels)
        if scenes and 1 - scenes[-1].looks[-1] @ look < change:
            scenes[-1].looks.append(look)
            scenes[-1].end_s = frame.at_s
        else:
            scenes.append(Scene(frame.at_s, frame.at_s, [look]))
    if not scenes:
        raise ValueError("no frame of this video could be decoded")
    return scenes
