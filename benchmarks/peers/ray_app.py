"""Ray Serve, one replica on a cluster of this machine; `@serve.batch` for the model.

An asynchronous deployment behind its HTTP proxy, with the documented throughput settings in the environment.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import ray
from handlers import MAX_BATCH, load_handler
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

port, name = int(sys.argv[1]), sys.argv[2]
batching = sys.argv[3] == "batching"


@serve.deployment(num_replicas=1, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Served:
    def __init__(self) -> None:
        self.handler = load_handler(name)

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=0.005)
    async def together(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.handler.predict_batch(requests)

    async def __call__(self, request: Request) -> JSONResponse:
        body = await request.json()
        # A response object carries its length; a plain dict would be sent in chunks.
        return JSONResponse(await self.together(body) if batching else self.handler.predict(body))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Served.bind(), route_prefix="/predict", blocking=False)
    print("ready", flush=True)
    while True:
        time.sleep(60)
