"""Inference requests posted to a real host: pipelined, in order, answered together where the plugin can."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from concurrent.futures import Future
from typing import Any

import pytest

from factories.waiting import until
from mixpeek.errors import PluginCrashed, PluginError, PluginRaised, PluginReplyInvalid, PluginTimedOut
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.port import Reply

# The first call lasts until the others have arrived, so what waits behind it is known.
BATCHING = """
    import time

    class RealtimeHandler:
        def predict(self, request):
            if request.get("sleep"):
                time.sleep(request["sleep"])
            if request["text"] == "bad":
                raise ValueError("not this one")
            return {"length": len(request["text"]), "calls": 1, "parameters": request.get("parameters")}

        def predict_batch(self, requests):
            answers = [self.predict(request) for request in requests]
            return [{**answer, "calls": len(requests)} for answer in answers]
"""
ALONE = BATCHING.replace("def predict_batch", "def another_method")


class Posted(Future[Reply]):
    """The reply to one posted request, for a thread."""

    def value(self) -> Any:
        batch, result = self.result(20)
        return batch, json.loads(result)


def post(execution: BlockingExecution, host: BlockingHost, *bodies: Any, **options: Any) -> list[Posted]:
    """Post requests in one turn of the hosts' loop."""
    posted = [Posted() for _ in bodies]

    async def send() -> None:
        for body, answer in zip(bodies, posted, strict=True):
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            host._host.post(raw, answer, **options)

    execution.call(send())
    return posted


def text(value: str, parameters: Any = None, **inputs: Any) -> dict[str, Any]:
    return {"inputs": {"text": value, **inputs}, "parameters": parameters}


def error_of(posted: Posted) -> PluginError:
    with pytest.raises(PluginError) as raised:
        posted.result(20)
    return raised.value


def test_what_waits_while_the_host_is_busy_is_answered_by_one_call(execution: Any, start: Any) -> None:
    host = start(realtime=BATCHING)
    assert host.warmup(batch_size=4) == 4

    (first,) = post(execution, host, text("a", sleep=0.3), alone=True)
    others = post(execution, host, *[text("x" * length) for length in range(1, 7)])

    assert first.value() == (1, {"length": 1, "calls": 1, "parameters": None})
    assert [each.value()[0] for each in others] == [4, 4, 4, 4, 2, 2]
    assert [each.value()[1]["length"] for each in others] == [1, 2, 3, 4, 5, 6]


def test_requests_with_other_parameters_do_not_share_a_call_and_keep_their_order(execution: Any, start: Any) -> None:
    host = start(realtime=BATCHING)
    host.warmup(batch_size=8)

    post(execution, host, text("a", sleep=0.3), alone=True)
    wanted = [{"k": 1}, {"k": 1}, None, {}, {"k": 2}]
    posted = post(execution, host, *[text("abc", parameters) for parameters in wanted])

    assert [each.value()[1]["calls"] for each in posted] == [2, 2, 2, 2, 1]
    assert [each.value()[1]["parameters"] for each in posted] == [{"k": 1}, {"k": 1}, None, None, {"k": 2}]


def test_a_bad_request_fails_alone(execution: Any, start: Any) -> None:
    host = start(realtime=BATCHING)
    host.warmup(batch_size=8)

    post(execution, host, text("a", sleep=0.3), alone=True)
    good, bad, unreadable, last = post(execution, host, text("abc"), text("bad"), b'{"inputs": NaN}', text("ab"))

    assert good.value()[1]["length"] == 3
    error = error_of(bad)
    assert isinstance(error, PluginRaised)
    assert error.message == "ValueError: not this one"
    assert error.details["frames"][-1]["file"] == "realtime.py"
    assert isinstance(error_of(unreadable), PluginReplyInvalid)
    assert last.value()[1]["length"] == 2
    until(lambda: "asked again alone" in host.stderr_tail(), what="the author can read of it")


def test_a_handler_without_predict_batch_answers_one_by_one(execution: Any, start: Any) -> None:
    host = start(realtime=ALONE)
    assert host.warmup(batch_size=16) == 1

    posted = post(execution, host, *[text("x" * length) for length in range(40)])

    assert [each.value() for each in posted] == [
        (1, {"length": length, "calls": 1, "parameters": None}) for length in range(40)
    ]


def test_requests_sent_alone_never_share_a_call(execution: Any, start: Any) -> None:
    host = start(realtime=BATCHING)
    host.warmup(batch_size=8)

    post(execution, host, text("a", sleep=0.3), alone=True)
    posted = post(execution, host, *[text("abc")] * 3, alone=True)

    assert [each.value()[0] for each in posted] == [1, 1, 1]


def test_a_plugin_without_a_handler_answers_requests_as_rows_of_one_table(execution: Any, start: Any) -> None:
    host = start()
    assert host.warmup(batch_size=16) == 16
    asked = [{"inputs": {"text": "x" * length}} for length in range(1, 5)]

    waiting = post(execution, host, *asked, {"inputs": {"text": "abc", "other": 1}}, {"inputs": ["no object"]})

    *rows, apart, wrong = waiting
    assert [each.value()[1] for each in rows] == [{"vector": [float(length), 1.0]} for length in range(1, 5)]
    assert apart.value()[1] == {"vector": [3.0, 1.0]}
    assert isinstance(error_of(wrong), PluginReplyInvalid)


def test_styles_with_parameters_of_their_own_get_them_beside_the_requests(execution: Any, start: Any) -> None:
    handler = """
        class WordsService:
            async def __call__(self, inputs, parameters):
                return {"scaled": inputs["n"] * parameters["by"]}

            async def predict_batch(self, inputs, parameters):
                return [{"scaled": each["n"] * parameters["by"], "of": len(inputs)} for each in inputs]
    """
    host = start(realtime=handler)
    host.warmup(batch_size=8)

    asked = [{"inputs": {"n": number}, "parameters": {"by": 10}} for number in range(5)]
    first, *others = post(execution, host, *asked)

    assert first.value()[1]["scaled"] == 0
    assert [each.value()[1]["scaled"] for each in others] == [10, 20, 30, 40]


def test_health_is_answered_during_a_long_call_and_counts_what_waits(execution: Any, start: Any) -> None:
    host = start(realtime=ALONE)
    host.warmup()
    running, *waiting = post(execution, host, text("a", sleep=1.0), text("b"), text("c"))

    health = until(lambda: found if (found := host.health(timeout_s=0.9)).busy else None, what="the call runs")

    assert health is not None
    assert health.waiting == 2
    assert not running.done()
    assert running.value()[1]["length"] == 1
    assert [each.value()[1]["length"] for each in waiting] == [1, 1]
    assert host.health().busy is False


def test_everything_unanswered_hears_that_the_host_was_killed(execution: Any, start: Any) -> None:
    host = start(realtime=ALONE)
    host.warmup()
    posted = post(execution, host, text("a", sleep=20), text("b"), text("c"))

    os.kill(host.pid, signal.SIGKILL)

    errors = [error_of(each) for each in posted]
    assert {type(error) for error in errors} == {PluginCrashed}
    assert "SIGKILL" in errors[0].message
    assert isinstance(error_of(*post(execution, host, text("after"))), PluginCrashed)


def test_a_call_over_its_time_ends_the_host_and_the_others_hear_why(execution: Any, start: Any) -> None:
    host = start(realtime=ALONE)
    host.warmup()

    slow, behind = post(execution, host, text("a", sleep=20), text("b"), timeout_s=0.4)

    assert isinstance(error_of(slow), PluginTimedOut)
    assert isinstance(error_of(behind), PluginCrashed)


def test_a_future_of_asyncio_can_wait_for_a_reply(execution: BlockingExecution, start: Any) -> None:
    host = start(realtime=ALONE)
    host.warmup()

    async def ask() -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        host._host.post(json.dumps(text("abcd")).encode(), answer)
        return await answer

    batch, result = execution.call(ask())

    assert (batch, json.loads(result)["length"]) == (1, 4)
