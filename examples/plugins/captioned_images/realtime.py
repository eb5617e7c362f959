"""Realtime inference: words, a picture or both in; for each its vector out, as the batch makes it."""

from typing import Any

from .manifest import CaptionedImagesParams
from .processors.captions import VECTOR as TEXT_VECTOR
from .processors.encoder import load_encoder
from .processors.looks import VECTOR as IMAGE_VECTOR
from .processors.perception import describe
from .processors.pictures import read_picture


class RealtimeHandler:
    """Embeds what it is sent: a search by text asks with `text`, one by picture with `image` or `content`."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the vector of each input under its feature's name."""
        params = CaptionedImagesParams(**(request.get("parameters") or {}))
        text = request.get("text")
        # A plugin with one input gets a query's content under that input's name; here it comes as `content`.
        address = request.get("image") or request.get("content")
        answer: dict[str, Any] = {}
        if isinstance(text, str) and text.strip():
            answer[TEXT_VECTOR] = load_encoder(params.threads).encode([text])[0].tolist()
        if isinstance(address, str) and address:
            answer[IMAGE_VECTOR] = describe(read_picture(address).pixels).tolist()
        if not answer:
            raise ValueError('Send {"text": "some words"}, {"image": "data:image/png;base64,…"}, or both')
        return answer
