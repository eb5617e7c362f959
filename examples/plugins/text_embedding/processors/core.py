"""The batch step: takes a table of texts, adds one vector to each row."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from .encoder import load_encoder

VECTOR = "text_embedding_vector"


@dataclass(frozen=True)
class TextEmbeddingConfig:
    """What `pipeline.py` hands to the processor."""

    threads: int = 1


class TextEmbeddingProcessor:
    """Adds the column `text_embedding_vector`: 384 floats, or None where a row has no text."""

    def __init__(self, config: TextEmbeddingConfig, progress_actor: Any | None = None) -> None:
        self.config = config

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return `batch` with its vectors; reads the column `text`, or `data` where there is no such column."""
        texts = batch["text"] if "text" in batch.columns else batch["data"]
        present = [position for position, text in enumerate(texts) if isinstance(text, str) and text.strip()]

        vectors: list[Any] = [None] * len(batch)
        if present:
            # The model is loaded here, by the first rows that need it, never when the pipeline is only built.
            encoded = load_encoder(self.config.threads).encode([texts.iloc[position] for position in present])
            for position, vector in zip(present, encoded, strict=True):
                vectors[position] = vector

        return batch.assign(**{VECTOR: pd.Series(vectors, index=batch.index, dtype=object)})
