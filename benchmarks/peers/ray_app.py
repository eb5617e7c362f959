"""Ray Serve on a cluster of this machine; `@serve.batch` where batching is on.

Set for speed, by Ray's own guides:
- `RAY_SERVE_THROUGHPUT_OPTIMIZED=1` in the environment ("Performance Tuning": request path without extra threads, gRPC
  between proxy and replica, direct ingress, buffered logs);
- `RAY_SERVE_ENABLE_HA_PROXY=1` for the contender `ray_haproxy` ("Enable High Throughput on Ray Serve": HAProxy instead
  of Serve's own proxy in front of the replica); the contender `ray` keeps Serve's own;
- `max_ongoing_requests=64` ("Configure Ray Serve deployments": how many a replica is sent at once, 5 by default; above
  our 32, so that nothing waits in the proxy), `@serve.batch` ("Dynamic Request Batching") with a short wait;
- an asynchronous `__call__` that answers with a response object; the access log off ("Monitor Your Application");
- `RAY_worker_niceness=0`, so that its actors do not stand back behind the load generator (15 by default);
- no dashboard, no usage reports, no token check; OMP_NUM_THREADS set ("Performance Tuning"), to one as for everyone.
`num_cpus` only reserves: half a core each, so that proxy, controller and replica fit on any machine.
"""

from __future__ import annotations

import os
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


@serve.deployment(
    num_replicas=int(os.environ.get("PEER_WORKERS", "1")),
    max_ongoing_requests=64,
    ray_actor_options={"num_cpus": 0.5},
    logging_config={"enable_access_log": False, "log_level": "WARNING"},
)
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
    # `local`: never join a cluster that another process has started here.
    ray.init("local", num_cpus=max(2, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": port},
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
    )
    serve.run(Served.bind(), route_prefix="/predict", blocking=False)
    print("ready", flush=True)
    while True:
        time.sleep(60)
