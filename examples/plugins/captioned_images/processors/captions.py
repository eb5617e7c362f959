"""The step for captions: adds a vector of the text's meaning to each row that has one."""

from typing import Any

import pandas as pd

from ..manifest import CaptionedImagesParams
from .encoder import load_encoder
from .present import placed, values_of

VECTOR = "captioned_images_text_vector"


class CaptionProcessor:
    """Adds the column `captioned_images_text_vector`: 384 floats, or None where a row has no caption."""

    def __init__(self, config: CaptionedImagesParams, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return `batch` with its vectors; `text` holds the captions, which `input_mappings` put there."""
        texts = values_of(batch, "text")
        vectors = load_encoder(self.config.threads).encode(texts.tolist())
        return batch.assign(**{VECTOR: placed(batch, texts, list(vectors))})
