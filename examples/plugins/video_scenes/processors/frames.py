"""Decodes videos: from the address in a row to a few frames a second, whatever the file's format."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from shared.plugins import open_asset

from .perception import SIDE


@dataclass(frozen=True)
class Frame:
    """One frame in the size in which it is described, `(64, 64, 3)`, and where it stands, in seconds."""

    pixels: NDArray[np.uint8]
    at_s: float


def read_frames(address: str, per_second: float) -> Iterator[Frame]:
    """Yield `per_second` frames of each second of a video, in order; of a still picture, one.

    Raises: AssetUnavailable: it cannot be read. av.FFmpegError: it cannot be decoded. ValueError: there is no picture
        in it. Let all pass: the platform finds the row that raised, records why, and goes on with the others.
    """
    next_s = 0.0
    # FFmpeg, which `av` brings along, reads the file piece by piece; nothing is copied to disk.
    with open_asset(address) as file, av.open(file, "r") as container:
        if not container.streams.video:
            raise ValueError("there is no picture track in this file")
        for frame in container.decode(video=0):
            at_s = frame.time or 0.0
            if at_s >= next_s:
                # Frames are made small by FFmpeg, so that a film in 4K costs no more memory than a small one.
                small = frame.reformat(width=SIDE, height=SIDE, format="rgb24", interpolation="AREA")
                yield Frame(np.asarray(small.to_ndarray(), dtype=np.uint8), at_s)
                next_s = at_s + 1 / per_second
