"""The trace of an inference request, from the caller's span to a real host, as a collector is sent it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
from starlette.types import Receive, Scope, Send

from factories.collector import Collector
from factories.plugins import write_plugin
from mixpeek import tracing
from mixpeek.api.traced import Traced
from mixpeek.deployments.serve_plan import ServePlan
from mixpeek.errors import PluginError
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec
from mixpeek.serving.replica import Served
from mixpeek.serving.replica_set import ReplicaSet, Started
from mixpeek.serving.traced_request import TracedRequest

CALLER = f"00-{'ab' * 16}-{'cd' * 8}-01"
SERVED = Served("ns_a", "words_1_0_0", "words", "1.0.0", "abc", "mixpeek://words@1.0.0", {})
PREDICT = """
    import time
    time.sleep(0.05)
    if request["text"] == "exit":
        import os
        os._exit(5)
    if request["text"] == "bad":
        raise ValueError("not this one")
    return {"embedding": embed(request["text"]).tolist()}
"""


class Asking:
    """An application that passes each body on to the replicas of one version."""

    def __init__(self, replicas: ReplicaSet) -> None:
        self._replicas = replicas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        status = 200
        try:
            await self._replicas.submit(body)
        except PluginError:
            status = 500
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-request-id", b"req_1")]})
        await send({"type": "http.response.body", "body": b"{}"})


async def ask(plugin: Path, *texts: str) -> list[int]:
    """Send one request per text, all at once, to a host of the plugin; return what they were answered."""
    execution = LocalExecution()
    try:

        async def start() -> Started:
            host = await execution.start(HostSpec(plugin, plugin.name))
            return Started(host, await host.warmup())

        replicas = ReplicaSet(SERVED, ServePlan(batch_size=1, ahead=1), start, request_class=TracedRequest)
        await replicas.open()
        transport = httpx.ASGITransport(Traced(Asking(replicas)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            bodies = (json.dumps({"inputs": {"text": text}, "parameters": {}}) for text in texts)
            headers = {"traceparent": CALLER}
            asked = [http.post("/v1/inference", content=body, headers=headers) for body in bodies]
            statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
        await replicas.close()
        return statuses
    finally:
        await execution.close()


def test_a_request_is_traced_from_its_caller_through_the_queue_to_the_host(
    collector: Collector, tmp_path: Path
) -> None:
    plugin = write_plugin(tmp_path / "words", predict=PREDICT)

    statuses = asyncio.run(ask(plugin, "good", "bad", "good", "good"))
    tracing.end()

    requests = collector.named("POST /v1/inference")
    assert statuses == [200, 500, 200, 200]
    assert len(requests) == 4
    assert len(collector.spans) == 12, "each waited once and was sent once; nothing else is traced"
    for request in requests:
        assert (request.trace, request.parent, request.kind) == ("ab" * 16, "cd" * 8, 2)
        assert request.attributes["mixpeek.request_id"] == "req_1"
        queue, call = collector.below(request)
        assert (queue.name, call.name) == ("queue", "host call")
        assert call.attributes["mixpeek.plugin_id"] == "words_1_0_0"
        assert call.is_error == request.is_error == (request.attributes["http.response.status_code"] == 500)
        assert 0.05 <= call.seconds <= request.seconds
        assert queue.seconds + call.seconds <= request.seconds + 0.005
    waits = sorted(queue.seconds for queue in collector.named("queue"))
    assert waits[0] < 0.04 < waits[-1], "a host is sent two ahead; the others wait their turn"
    (bad,) = [call for call in collector.named("host call") if call.is_error]
    assert bad.events == ["exception"]


def test_a_request_whose_host_ends_tells_of_each_it_was_sent_to(collector: Collector, tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path / "words", predict=PREDICT)

    statuses = asyncio.run(ask(plugin, "exit"))
    tracing.end()

    (request,) = collector.named("POST /v1/inference")
    spans = collector.below(request)
    calls = [span for span in spans if span.name == "host call"]
    assert statuses == [500]
    assert [span.name for span in spans] == ["queue", "host call", "queue", "host call"]
    assert all(call.is_error for call in calls)
    assert len({call.attributes["mixpeek.host_pid"] for call in calls}) == 2


def test_who_scrapes_or_asks_for_health_leaves_no_trace(collector: Collector) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert tracing.current() is None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def look() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Traced(app)), base_url="http://test") as http:
            for path in ("/metrics", "/v1/health", "/v1/health/liveness"):
                assert (await http.get(path)).status_code == 200

    asyncio.run(look())
    tracing.end()

    assert collector.spans == []
