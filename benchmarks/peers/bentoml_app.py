"""BentoML.

Set for speed, by its own guides:
- `bentoml serve`, production mode, with uvloop and httptools installed, which its uvicorn then takes;
- `batchable=True` where batching is on ("Adaptive batching": it finds the window and the size by itself), with the
  handler's most as `max_batch_size` and a `max_latency_ms` that never refuses a request under this load;
- `workers` ("Workers"): as many copies of the handler as every contender has;
- access log and metrics off ("Observability").
The handler's name and batching come in by the environment.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml
from handlers import MAX_BATCH, load_handler

SERVICE: dict[str, Any] = {
    "workers": int(os.environ.get("PEER_WORKERS", "1")),
    "traffic": {"timeout": 60},
    "logging": {"access": {"enabled": False}},
    "metrics": {"enabled": False},
}
NAME, BATCHING = os.environ["PEER_HANDLER"], os.environ["PEER_BATCHING"] == "batching"

if BATCHING:

    @bentoml.service(**SERVICE)
    class Served:
        def __init__(self) -> None:
            self.handler = load_handler(NAME)

        @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=2000, route="/predict")
        def predict(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return self.handler.predict_batch(requests)
else:

    @bentoml.service(**SERVICE)
    class Served:  # type: ignore[no-redef]
        def __init__(self) -> None:
            self.handler = load_handler(NAME)

        # A coroutine spares each request a thread; only the trivial handler is served this way.
        @bentoml.api(route="/predict")
        async def predict(self, text: str) -> dict[str, Any]:
            return self.handler.predict({"text": text})
