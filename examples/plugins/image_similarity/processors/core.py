"""The batch step: takes a table of pictures, adds a vector and four values to each row."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.plugins.sdk import parallel_io

from ..manifest import ImageSimilarityParams
from .perception import describe
from .pictures import Picture, read_picture

VECTOR = "image_similarity_vector"

# Opening a file waits for the platform, and decoding leaves the interpreter free: several at once are quicker.
_READERS = 4


class ImageSimilarityProcessor:
    """Adds the vector, `width`, `height`, `average_colour` and `fingerprint` of each picture."""

    def __init__(self, config: ImageSimilarityParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return `batch` with its new columns; `data` holds the address of each picture."""
        pictures = parallel_io(read_picture, batch["data"], max_workers=_READERS)
        columns = {
            VECTOR: [vector_of(picture, self.config) for picture in pictures],
            "width": [picture.width for picture in pictures],
            "height": [picture.height for picture in pictures],
            "average_colour": [average_colour(picture.pixels) for picture in pictures],
            "fingerprint": [fingerprint(picture.pixels) for picture in pictures],
        }
        return batch.assign(**{name: pd.Series(values, index=batch.index) for name, values in columns.items()})


def vector_of(picture: Picture, params: ImageSimilarityParams) -> NDArray[np.float32]:
    """Return the vector of a picture, shape `(256,)`; batch and realtime share it, so that their vectors agree."""
    return describe(picture.pixels, params.colour_weight, params.layout_weight, params.edge_weight)


def average_colour(pixels: NDArray[np.uint8]) -> str:
    """Return the mean of all pixels, as in `#d08040`."""
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def fingerprint(pixels: NDArray[np.uint8]) -> str:
    """Return 64 bits as 16 hex digits: whether each of 8 × 8 cells is lighter than the picture as a whole.

    Copies of one picture in other sizes or qualities differ in few bits, or in none.
    """
    cells = pixels.mean(axis=2).reshape(8, 8, 8, 8).mean(axis=(1, 3))
    return np.packbits((cells > cells.mean()).ravel()).tobytes().hex()
