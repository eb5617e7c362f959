"""What a picture looks like, as one vector: its colours, where light and dark are, and which way its edges run.

No model: the numbers come straight from the pixels. They find the same picture in another size or quality, and pictures
that look alike; they know nothing of what a picture shows.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Pictures are described in this width and height, whatever their own."""

DIMENSIONS = 256

_COLOUR_LEVELS = 4  # for each of red, green and blue: 4³ = 64 numbers
_LAYOUT_CELLS = 8  # across and down: 64 numbers
_EDGE_CELLS, _DIRECTIONS = 4, 8  # 4 × 4 cells of 8 directions: 128 numbers
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# A block weaker than this is noise of the file's compression, and is not blown up to full length.
_FAINT = 0.02


def describe(
    pixels: NDArray[np.uint8], colour: float = 1.0, layout: float = 1.0, edges: float = 1.0
) -> NDArray[np.float32]:
    """Return the vector of a picture: shape `(256,)`, float32, unit length.

    Args:
        pixels: shape `(64, 64, 3)`, red, green and blue from 0 to 255.
        colour, layout, edges: how much each part weighs; `colour` above 0, the others 0 or more.
    """
    picture = (pixels / 255).astype(np.float32)
    grey: NDArray[np.float32] = picture @ _LUMINANCE
    blocks = [colour * _colours(picture), layout * _layout(grey), edges * _edges(grey)]
    vector = np.concatenate(blocks).astype(np.float32)
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def _colours(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much of each colour there is; a shade between two levels counts for both: small changes stay small."""
    levels = np.arange(_COLOUR_LEVELS, dtype=np.float32)
    position = picture.reshape(-1, 3, 1) * (_COLOUR_LEVELS - 1)
    share = np.clip(1 - np.abs(position - levels), 0, None)  # pixels × channels × levels
    counts = np.einsum("nr,ng,nb->rgb", share[:, 0], share[:, 1], share[:, 2], optimize=True).ravel()
    # The root keeps one large area from hiding all others.
    return _unit(np.sqrt(counts / len(share)))


def _layout(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much lighter or darker than the whole each cell is."""
    size = SIDE // _LAYOUT_CELLS
    cells = grey.reshape(_LAYOUT_CELLS, size, _LAYOUT_CELLS, size).mean(axis=(1, 3))
    return _unit((cells - cells.mean()).ravel())


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how strong the edges of each direction are in each cell; an edge has no front and no back."""
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    direction = (np.arctan2(down, across) % np.pi) / np.pi * _DIRECTIONS
    # A direction between two counts for both, in shares; the last one is next to the first.
    lower = np.floor(direction)
    share = direction - lower
    rows, columns = np.indices(grey.shape) // (SIDE // _EDGE_CELLS)
    first = (rows * _EDGE_CELLS + columns) * _DIRECTIONS
    sums = np.zeros(_EDGE_CELLS**2 * _DIRECTIONS)
    for neighbour, weight in ((lower, 1 - share), (lower + 1, share)):
        number = first + neighbour.astype(int) % _DIRECTIONS
        sums += np.bincount(number.ravel(), (strength * weight).ravel(), len(sums))
    return _unit(sums / (SIDE // _EDGE_CELLS) ** 2)


def _unit(block: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a block in unit length, a faint one shorter: what is hardly there must not weigh like the rest."""
    scaled: NDArray[np.float32] = (block / max(float(np.linalg.norm(block)), _FAINT)).astype(np.float32)
    return scaled
