"""`python -m scripts.sample_assets [FOLDER]`: draw, play, film and print the sample files of the templates.

The files lie in `examples/plugins/*/samples` and are part of this repository; nothing in them is anybody else's. They
are made anew only when one of them is to change, as encoders of other versions write other bytes.
"""

from __future__ import annotations

import sys
import textwrap
import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PLUGINS = Path(__file__).parents[1] / "examples" / "plugins"

Pixels = NDArray[np.uint8]

_WIDTH, _HEIGHT = 96, 72
_RATE_HZ = 16_000
_FRAMES_A_SECOND = 8

GARDEN = (
    "A kitchen garden needs little room. Begin in spring, when the soil is no longer cold: dig it over, pull out the"
    " roots of weeds, and mix in compost from last year.",
    "In a dry summer, water tomatoes every second day, early in the morning and close to the ground. Wet leaves invite"
    " blight. Pinch out side shoots, so that the plant puts its strength into fruit.",
    "In autumn, lift carrots and beets before the first frost and store them in damp sand. Cover empty beds with straw,"
    " which keeps the soil alive over winter.",
)
SORTING = (
    "Quicksort chooses a pivot, moves smaller items to its left and larger ones to its right, and sorts both sides in"
    " the same way. On average it needs n log n comparisons.",
    "Merge sort splits a list into halves, sorts each, and merges them. It is stable and never slow, but it needs"
    " memory for a second list.",
)


def main(folder: Path) -> None:
    """Write every sample under `folder`, as `PLUGIN/samples/NAME`."""
    for plugin in ("image_similarity", "captioned_images"):
        samples = _samples_of(folder, plugin)
        Image.fromarray(sunset(0)).save(samples / "sunset.jpg", quality=80)
        Image.fromarray(forest()).save(samples / "forest.png", optimize=True)
        Image.fromarray(tiles(0)).save(samples / "tiles.png", optimize=True)
    samples = _samples_of(folder, "audio_similarity")
    _write_ogg(samples / "bell.ogg", bell())
    _write_ogg(samples / "rain.ogg", rain())
    _write_wav(samples / "siren.wav", siren())
    samples = _samples_of(folder, "video_scenes")
    moments = [part / _FRAMES_A_SECOND for part in range(_FRAMES_A_SECOND)]
    _write_mp4(samples / "evening.mp4", [*(sunset(at) for at in moments), *(night(at) for at in moments)])
    _write_mp4(samples / "floor.mp4", [tiles(at) for at in moments])
    samples = _samples_of(folder, "document_pages")
    (samples / "garden.pdf").write_bytes(pdf(GARDEN))
    (samples / "sorting.pdf").write_bytes(pdf(SORTING))


def sunset(at: float) -> Pixels:
    """Return a red sun that sinks, `at` from 0 to 1, over a calm sea."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    sky = np.stack([235 - rows, 110 + rows, 60 + rows / 2], axis=-1)
    sun = np.hypot(rows - 22 - 12 * at, columns - 60) < 11
    picture = np.where(sun[..., None], (255, 60, 40), sky)
    sea = rows >= 50
    glitter = 30 * (np.sin(rows * 1.7 + columns / 9) > 0.6)
    return _pixels(np.where(sea[..., None], np.stack([70 + glitter, 60 + glitter, 110 + glitter], axis=-1), picture))


def night(at: float) -> Pixels:
    """Return a white moon that rises, `at` from 0 to 1, in a dark sky."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    moon = np.hypot(rows - 40 + 7 * at, columns - 26) < 8
    sky = np.stack([10 + rows / 6, 12 + rows / 5, 40 + rows / 2], axis=-1)
    return _pixels(np.where(moon[..., None], (240, 240, 225), sky))


def forest() -> Pixels:
    """Return brown trunks in green."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    green = np.stack([40 + rows / 3, 120 + rows / 2, 50 + rows / 4], axis=-1)
    trunk = (columns + 3 * np.sin(columns)) % 16 < 5
    return _pixels(np.where(trunk[..., None], (85, 60, 40), green))


def tiles(at: float) -> Pixels:
    """Return tiles in two greys that move by a quarter of their size as `at` goes from 0 to 1."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    light = (rows // 12 + (columns + int(3 * at)) // 12) % 2 == 0
    return _pixels(np.where(light[..., None], (225, 225, 220), (95, 95, 100)))


def bell() -> NDArray[np.float64]:
    """Return a second of a bell: partials that are no multiples of each other, and die away."""
    time_s = _second()
    partials = ((440, 1.0, 3), (1214, 0.6, 5), (2376, 0.35, 7), (3520, 0.2, 9))
    sound = sum(
        weight * np.exp(-fade * time_s) * np.sin(2 * np.pi * pitch * time_s) for pitch, weight, fade in partials
    )
    return 0.4 * np.asarray(sound)


def rain() -> NDArray[np.float64]:
    """Return a second of rain: noise, the same each time."""
    return 0.15 * np.random.default_rng(7).standard_normal(_RATE_HZ)


def siren() -> NDArray[np.float64]:
    """Return a second of a siren: a tone that goes up and down."""
    time_s = _second()
    pitch_hz = 800 + 300 * np.sin(2 * np.pi * 2 * time_s)
    return 0.4 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / _RATE_HZ)


def pdf(pages: Iterable[str]) -> bytes:
    """Return a PDF with a text on each page."""
    contents = [_page_content(text) for text in pages]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, content in enumerate(contents):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 300] /Resources << /Font << /F1 3 0 R >> >>"
            b" /Contents %d 0 R >>" % (5 + 2 * number)
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        written
        + head
        + table
        + (b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(written)))
    )


def _page_content(text: str) -> bytes:
    lines = "".join(f"({line}) '\n" for line in textwrap.wrap(text, 62))
    return f"BT /F1 12 Tf 16 TL 30 260 Td\n{lines}ET".encode()


def _write_wav(path: Path, samples: NDArray[np.float64]) -> None:
    """Write one channel of 8 kHz, which half of the samples are enough for."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, _RATE_HZ // 2, 0, "NONE", ""))
        file.writeframes((samples[::2] * 32767).astype("<i2").tobytes())


def _write_ogg(path: Path, samples: NDArray[np.float64]) -> None:
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=_RATE_HZ, layout="mono", options={"b": "24k"})
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="flt", layout="mono")
        frame.sample_rate = _RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _write_mp4(path: Path, frames: Iterable[Pixels]) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_FRAMES_A_SECOND, options={"crf": "26", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _FRAMES_A_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _samples_of(folder: Path, plugin: str) -> Path:
    samples = folder / plugin / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    return samples


def _second() -> NDArray[np.float64]:
    return np.arange(_RATE_HZ) / _RATE_HZ


def _pixels(picture: NDArray[np.float64]) -> Pixels:
    return np.clip(picture, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PLUGINS)
