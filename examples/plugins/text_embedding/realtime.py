"""Realtime inference: one request in, its vectors out, from the encoder that the batch uses."""

from typing import Any

from .manifest import TextEmbeddingParams
from .processors.encoder import load_encoder


class RealtimeHandler:
    """Embeds `text`, or each of `texts`."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `text` or `{"embeddings": [[...], ...]}` for `texts`."""
        params = TextEmbeddingParams(**(request.get("parameters") or {}))
        texts = _texts(request)
        vectors = load_encoder(params.threads).encode(texts).tolist()
        return {"embeddings": vectors} if "texts" in request else {"embedding": vectors[0]}


def _texts(request: dict[str, Any]) -> list[str]:
    texts = request["texts"] if "texts" in request else [request.get("text")]
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError('Send {"text": "some words"} or {"texts": ["some words", "more"]}; no text may be empty')
    return texts
