"""Decodes sounds: from the address in a row to samples at one rate, whatever the file's format."""

import av
import numpy as np
from numpy.typing import NDArray

from shared.plugins import open_asset

RATE_HZ = 16_000


def read_sound(address: str, max_seconds: float) -> NDArray[np.float32]:
    """Return the samples of the first sound track at an address, mono, 16 kHz, -1 to 1; shape `(samples,)`.

    Raises: AssetUnavailable: it cannot be read. av.FFmpegError: it cannot be decoded. ValueError: there is no sound in
        it. Let all pass: the platform finds the row that raised, records why, and goes on with the others.
    """
    limit = int(max_seconds * RATE_HZ)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    pieces: list[NDArray[np.float32]] = []
    count = 0
    # FFmpeg, which `av` brings along, reads the file piece by piece; nothing is copied to disk.
    with open_asset(address) as file, av.open(file, "r") as container:
        if not container.streams.audio:
            raise ValueError("there is no sound track in this file")
        for frame in container.decode(audio=0):
            for resampled in resampler.resample(frame):
                pieces.append(resampled.to_ndarray()[0])
                count += resampled.samples
            if count >= limit:
                break
        pieces += [rest.to_ndarray()[0] for rest in resampler.resample(None)]
    return np.concatenate([*pieces, np.zeros(0, dtype=np.float32)])[:limit]
