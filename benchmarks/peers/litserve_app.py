"""LitServe, on the CPU.

Set for speed, by its own guides:
- `fast_queue=True` (LitServer's reference: ZeroMQ instead of a multiprocessing queue between the HTTP process and the
  worker, for high throughput);
- `max_batch_size` and `batch_timeout` on the LitAPI where batching is on ("Batching", "Speed up serving by 200x"): a
  batch waits at most 5 ms for company; LitServe has no batching without a timer;
- `workers_per_device`: as many copies of the handler as every contender has; HTTP has a process of its own anyway;
- no request tracking, access log off. Its HTTP side is FastAPI on uvicorn, with uvloop and httptools installed.
"""

import os
import sys
from typing import Any

import litserve
from handlers import MAX_BATCH, load_handler

port, name = int(sys.argv[1]), sys.argv[2]
batching = sys.argv[3] == "batching"
workers = int(os.environ.get("PEER_WORKERS", "1"))


class Served(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.handler = load_handler(name)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would become a body model
        return request

    def predict(self, x: Any) -> Any:
        return self.handler.predict_batch(x) if batching else self.handler.predict(x)

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def encode_response(self, output: Any) -> Any:
        return output


if __name__ == "__main__":
    options = {"max_batch_size": MAX_BATCH, "batch_timeout": 0.005} if batching else {}
    server = litserve.LitServer(Served(**options), accelerator="cpu", workers_per_device=workers, fast_queue=True)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning", access_log=False)
