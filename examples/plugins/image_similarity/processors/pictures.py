"""Opens pictures: from the address in a row to pixels of one size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.plugins import open_asset

from .perception import SIDE


@dataclass(frozen=True)
class Picture:
    """A picture in the size in which it is described, `(64, 64, 3)`, and the size it has."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


def read_picture(address: str) -> Picture:
    """Return the picture at an address, turned upright, what is transparent in white.

    Raises: AssetUnavailable: it cannot be read. PIL.UnidentifiedImageError: it is no picture. Let both pass: the
        platform finds the row that raised, records why, and goes on with the others.
    """
    # The platform hands the file over piece by piece, as Pillow reads it; nothing is copied to disk.
    with open_asset(address) as file, Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened)
        small = upright.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BOX)
        canvas = Image.new("RGBA", small.size, "white")
        canvas.alpha_composite(small)
        return Picture(np.asarray(canvas.convert("RGB")), upright.width, upright.height)
