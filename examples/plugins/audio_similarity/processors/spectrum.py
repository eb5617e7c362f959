"""What a sound is like, as one vector: the shape of its spectrum on the mel scale, and how that moves in time.

No model: the numbers come straight from the samples. Loudness does not matter to them, timbre and pitch do; they know
nothing of what is said or played.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sound import RATE_HZ

DIMENSIONS = 80
SILENCE_DB = -120.0

_BANDS = DIMENSIONS // 2
_WINDOW, _HOP = 512, 256  # samples: 32 ms, every 16 ms
_WINDOWS_AT_ONCE = 4096  # a minute; an hour's windows would not fit into memory together
_QUIETEST = 1e-6  # of the sound's own power: 60 dB below it; what is quieter counts as this


@dataclass(frozen=True)
class Described:
    """What was measured; `vector` has shape `(80,)`, float32, unit length, and is None for silence."""

    vector: NDArray[np.float32] | None
    duration_s: float
    loudness_db: float
    brightness_hz: float


def describe(samples: NDArray[np.float32]) -> Described:
    """Describe a sound of any length; `samples` at 16 kHz, shape `(samples,)`."""
    duration_s = len(samples) / RATE_HZ
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    if power <= 10 ** (SILENCE_DB / 10):
        return Described(None, duration_s, SILENCE_DB, 0.0)

    spectrum, mels = _spectra(samples / np.float32(np.sqrt(power)))  # as loud as any other sound
    # Without its mean, a spectrum only says which bands stand out.
    shape = _unit(mels.mean(axis=0) - mels.mean())
    movement = _unit(mels.std(axis=0))
    vector = (np.concatenate([shape, movement]) / np.sqrt(2)).astype(np.float32)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    brightness_hz = float(frequencies @ spectrum / spectrum.sum())
    return Described(vector / np.linalg.norm(vector), duration_s, 10 * float(np.log10(power)), brightness_hz)


def _spectra(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of all power spectra, shape `(257,)`, and the log-mel spectrum of each window, `(windows, 40)`."""
    padded = np.pad(samples, (0, max(_WINDOW - len(samples), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    total = np.zeros(_WINDOW // 2 + 1)
    mels = []
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        tapered = windows[start : start + _WINDOWS_AT_ONCE] * np.hanning(_WINDOW)
        power = np.abs(np.fft.rfft(tapered, axis=1)) ** 2 / _WINDOW
        total += power.sum(axis=0)
        mels.append(np.log10(np.maximum(power @ _MEL_BANDS.T, _QUIETEST)))
    return total, np.concatenate(mels)


def _mel_bands() -> NDArray[np.float64]:
    """Return 40 overlapping triangles, equally wide to the ear: shape `(40, 257)`, each with the sum 1."""
    highest = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, _BANDS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    triangles = np.maximum(np.minimum(rising, falling), 0)
    # The lowest triangles may fall between two frequencies: each then takes the nearest one.
    nearest = np.abs(frequencies - centre).argmin(axis=1)
    triangles[np.arange(_BANDS), nearest] += 1e-3
    bands: NDArray[np.float64] = triangles / triangles.sum(axis=1, keepdims=True)
    return bands


_MEL_BANDS = _mel_bands()


def _unit(block: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(block))
    return block / length if length > 0 else block
