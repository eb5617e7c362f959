"""Realtime inference: one request in, its vectors out, from the encoder that the batch uses."""

from typing import Any

from .manifest import TextEmbeddingParams
from .processors.encoder import load_encoder


class RealtimeHandler:
    """Embeds `text`, or each of `texts`."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `text` or `{"embeddings": [[...], ...]}` for `texts`."""
        return self.predict_batch([request])[0]

    def predict_batch(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer requests that came in together with one run of the encoder; their parameters are equal."""
        params = TextEmbeddingParams(**(requests[0].get("parameters") or {}))
        texts = [_texts(request) for request in requests]
        vectors = iter(load_encoder(params.threads).encode([text for each in texts for text in each]).tolist())
        answers = []
        for request, own in zip(requests, texts, strict=True):
            embeddings = [next(vectors) for _ in own]
            answers.append({"embeddings": embeddings} if "texts" in request else {"embedding": embeddings[0]})
        return answers


def _texts(request: dict[str, Any]) -> list[str]:
    texts = request["texts"] if "texts" in request else [request.get("text")]
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError('Send {"text": "some words"} or {"texts": ["some words", "more"]}; no text may be empty')
    return texts
