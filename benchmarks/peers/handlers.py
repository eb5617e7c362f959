"""The handlers that every contender serves: the same functions, whoever carries the request.

Runs in each peer's own environment, so it imports nothing of ours but the example plugin's encoder file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_PROCESSORS = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "text_embedding" / "processors"
MAX_BATCH = 16


class Trivial:
    """Answers with the length of the text: all the time is the server's own."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"length": len(request["text"])}

    def predict_batch(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self.predict(request) for request in requests]


class MiniLM:
    """Embeds the text with int8 MiniLM on one thread."""

    def __init__(self) -> None:
        spec = importlib.util.spec_from_file_location("encoder", _PROCESSORS / "encoder.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._encoder = module.load_encoder(1)

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.predict_batch([request])[0]

    def predict_batch(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        vectors = self._encoder.encode([request["text"] for request in requests]).tolist()
        return [{"embedding": vector} for vector in vectors]


def load_handler(name: str) -> Trivial | MiniLM:
    return {"trivial": Trivial, "minilm": MiniLM}[name]()
