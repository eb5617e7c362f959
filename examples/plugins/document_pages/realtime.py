"""Realtime inference: words in, their vector out, from the encoder that the batch uses; so queries are embedded."""

from typing import Any

from .manifest import DocumentPagesParams
from .processors.encoder import load_encoder
from .processors.pages import read_passages


class RealtimeHandler:
    """Embeds `text`, or the first passage of `document`."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `{"text": "..."}` or `{"document": address}`."""
        params = DocumentPagesParams(**(request.get("parameters") or {}))
        text = _text(request, params.passage_words)
        return {"embedding": load_encoder(params.threads).encode([text])[0].tolist()}


def _text(request: dict[str, Any], passage_words: int) -> str:
    text, address = request.get("text"), request.get("document")
    if isinstance(text, str) and text.strip():
        return text
    if "text" in request or not isinstance(address, str) or not address:
        raise ValueError('Send {"text": "what to look for"}, or {"document": "data:application/pdf;base64,…"}')
    passages = read_passages(address, passage_words)
    if not passages:
        raise ValueError("This document holds no text; if its pages were scanned, they must go through OCR first")
    return passages[0].text
