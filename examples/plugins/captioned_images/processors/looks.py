"""The step for pictures: adds a vector of its looks, and its size, to each row that has one."""

from typing import Any

import pandas as pd

from shared.plugins.sdk import parallel_io

from ..manifest import CaptionedImagesParams
from .perception import describe
from .pictures import read_picture
from .present import placed, values_of

VECTOR = "captioned_images_image_vector"


class LooksProcessor:
    """Adds `captioned_images_image_vector`, 256 floats, `width` and `height`; None where a row has no picture."""

    def __init__(self, config: CaptionedImagesParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return `batch` with its new columns; `image` holds the addresses, which `input_mappings` put there."""
        addresses = values_of(batch, "image")
        pictures = parallel_io(read_picture, addresses, max_workers=4)
        columns: dict[str, list[Any]] = {
            VECTOR: [describe(picture.pixels) for picture in pictures],
            "width": [picture.width for picture in pictures],
            "height": [picture.height for picture in pictures],
        }
        return batch.assign(**{name: placed(batch, addresses, values) for name, values in columns.items()})
