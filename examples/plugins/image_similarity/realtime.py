"""Realtime inference: one picture in, its vector out, described as the batch describes it."""

from typing import Any

from .manifest import ImageSimilarityParams
from .processors.core import vector_of
from .processors.pictures import read_picture


class RealtimeHandler:
    """Describes `image`; also how a query by picture gets its vector."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `{"image": address}`."""
        address = request.get("image")
        if not isinstance(address, str) or not address:
            raise ValueError('Send {"image": "data:image/png;base64,…"}, or the address of an asset')
        params = ImageSimilarityParams(**(request.get("parameters") or {}))
        return {"embedding": vector_of(read_picture(address), params).tolist()}
