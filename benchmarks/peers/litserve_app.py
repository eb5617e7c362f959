"""LitServe with the settings its guide gives for speed: `fast_queue`, one worker on the CPU, batching for the model.

A batch waits at most `batch_timeout` for company; LitServe has no batching without a timer.
"""

import sys
from typing import Any

import litserve
from handlers import MAX_BATCH, load_handler

port, name = int(sys.argv[1]), sys.argv[2]
batching = sys.argv[3] == "batching"


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
    server = litserve.LitServer(Served(**options), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning", access_log=False)
