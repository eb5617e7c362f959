"""Realtime inference: one sound in, its vector out, described as the batch describes it."""

from typing import Any

from .manifest import AudioSimilarityParams
from .processors.sound import read_sound
from .processors.spectrum import describe


class RealtimeHandler:
    """Describes `audio`; also how a query by sound gets its vector."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return `{"embedding": [...]}` for `{"audio": address}`."""
        address = request.get("audio")
        if not isinstance(address, str) or not address:
            raise ValueError('Send {"audio": "data:audio/wav;base64,…"}, or the address of an asset')
        params = AudioSimilarityParams(**(request.get("parameters") or {}))
        vector = describe(read_sound(address, params.max_seconds)).vector
        if vector is None:
            raise ValueError("This sound is silent, so there is nothing to compare it by")
        return {"embedding": vector.tolist()}
