"""What a host answers: realtime calls, failures, time limits, and the protocol itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mixpeek.errors import PlatformError, PluginCrashed, PluginRaised, PluginReplyInvalid, PluginTimedOut
from mixpeek.execution.blocking import BlockingHost
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec

StartHost = Callable[..., BlockingHost]


def handler(body: str) -> str:
    lines = "\n".join(f"            {line}" for line in body.splitlines())
    return f"""
    import os, sys, time
    class RealtimeHandler:
        def predict(self, request):
{lines}
    """


def test_a_handler_answers(start: StartHost) -> None:
    host = start(realtime=handler("return {'echo': request}"))

    assert host.predict({"text": "x"}) == {"echo": {"text": "x"}}


def test_parameters_reach_a_predict_handler_under_their_own_key(start: StartHost) -> None:
    host = start(realtime=handler("return request"))

    assert host.predict({"text": "x"}, {"k": 1}) == {"text": "x", "parameters": {"k": 1}}


@pytest.mark.parametrize(
    ("style", "source"),
    [
        ("call", "async def __call__(self, inputs, parameters):"),
        ("run_inference", "async def run_inference(self, inputs, parameters):"),
        ("run_inference", "def run_inference(self, inputs, parameters=None):"),
    ],
)
def test_inference_services_get_inputs_and_parameters(start: StartHost, style: str, source: str) -> None:
    realtime = f"""
    from shared.plugins.inference.serve import BaseInferenceService
    class InferenceService(BaseInferenceService):
        {source}
            return [inputs, parameters]
    """
    host = start(realtime=realtime)

    assert host.describe().realtime == style
    assert host.predict({"text": "x"}, {"k": 1}) == [{"text": "x"}, {"k": 1}]


def test_a_plugin_without_realtime_answers_through_its_pipeline(start: StartHost) -> None:
    host = start()

    assert host.describe().realtime is None
    assert host.predict({"text": "four"}) == {"vector": [4.0, 1.0]}


def test_numpy_results_become_plain_numbers(start: StartHost) -> None:
    host = start(realtime=handler("import numpy\nreturn {'embedding': numpy.ones(3, dtype='float32')}"))

    assert host.predict({}) == {"embedding": [1.0, 1.0, 1.0]}


@pytest.mark.parametrize("result", ["float('nan')", "{'x': [float('inf')]}", "object()", "{(1, 2): 3}"])
def test_a_result_that_is_not_strict_json_is_refused(start: StartHost, result: str) -> None:
    host = start(realtime=handler(f"return {result}"))

    with pytest.raises(PluginReplyInvalid, match="not strict JSON"):
        host.predict({})
    assert host.alive


def test_an_exception_carries_only_the_plugins_own_frames(start: StartHost) -> None:
    host = start(realtime=handler("import json\nreturn json.loads('{')"))

    with pytest.raises(PluginRaised) as caught:
        host.predict({})

    assert caught.value.message.startswith("JSONDecodeError: ")
    assert caught.value.details["exception"] == "JSONDecodeError"
    assert caught.value.details["frames"] == [
        {"file": "realtime.py", "line": 6, "function": "predict", "code": "return json.loads('{')"}
    ]


def test_a_plugin_that_exits_raises_instead(start: StartHost) -> None:
    host = start(realtime=handler("sys.exit(3)"))

    with pytest.raises(PluginRaised, match="SystemExit: 3"):
        host.predict({})
    assert host.alive


def test_a_syntax_error_names_its_file_and_line(start: StartHost) -> None:
    host = start(manifest="metadata = {}\nfeatures = [\n")

    with pytest.raises(PluginRaised, match="SyntaxError") as caught:
        host.describe()
    assert caught.value.details["frames"][-1]["file"] == "manifest.py"
    assert caught.value.details["frames"][-1]["line"] == 2


def test_a_crash_tells_how_the_host_ended_and_what_it_printed(start: StartHost) -> None:
    host = start(realtime=handler("print('the last words')\nos.abort()"))

    with pytest.raises(PluginCrashed, match="SIGABRT") as caught:
        host.predict({})
    assert "the last words" in caught.value.details["stderr"]
    assert not host.alive
    with pytest.raises(PluginCrashed, match="SIGABRT"):
        host.predict({})


def test_a_call_over_its_time_limit_stops_the_host(start: StartHost) -> None:
    host = start(realtime=handler("while True: pass"))
    before = time.monotonic()

    with pytest.raises(PluginTimedOut, match=r"within 0\.3 s"):
        host.predict({}, timeout_s=0.3)

    assert time.monotonic() - before < 5
    assert not host.alive


def test_a_manifest_that_hangs_at_import_times_out(start: StartHost) -> None:
    host = start(manifest="while True: pass")

    with pytest.raises(PluginTimedOut, match="describe"):
        host.describe(timeout_s=0.3)


@pytest.mark.parametrize(
    "attack",
    [
        "os.write(fd, b'garbage that is no frame at all')",
        "os.write(fd, b'\\xff' * 8)",
        "head = b'{\"id\": 99, \"ok\": true}'\nos.write(fd, struct.pack('<II', len(head), 0) + head)",
        "head = b'[' * 100000\nos.write(fd, struct.pack('<II', len(head), 0) + head)",
        "head = b'{\"id\": NaN}'\nos.write(fd, struct.pack('<II', len(head), 0) + head)",
    ],
)
def test_a_host_that_breaks_the_protocol_is_stopped(start: StartHost, attack: str) -> None:
    find = """import socket, stat, struct
def is_socket(n): return os.path.exists(f"/proc/self/fd/{n}") and stat.S_ISSOCK(os.fstat(n).st_mode)
fd = next(n for n in range(3, 64) if is_socket(n))"""
    host = start(realtime=handler(f"{find}\n{attack}\ntime.sleep(30)"))

    with pytest.raises(PluginReplyInvalid, match="broke the protocol"):
        host.predict({}, timeout_s=10)
    assert not host.alive


def test_what_a_plugin_prints_stays_out_of_the_protocol(start: StartHost) -> None:
    host = start(realtime=handler("print('noise ' * 1000)\nsys.stderr.write('more noise')\nreturn 1"))

    assert [host.predict({}) for _ in range(20)] == [1] * 20
    assert "noise" in host.stderr_tail()


@pytest.mark.parametrize("name", ["json", "queue", "mixpeek", "pyseccomp"])
def test_a_package_name_that_hides_a_module_is_refused(start: StartHost, name: str) -> None:
    with pytest.raises(PluginRaised, match="would hide the Python module"):
        start(name=name).describe()


def test_a_plugin_whose_files_the_sandbox_cannot_read_is_named(
    start: StartHost, write_plugin: Callable[..., Path]
) -> None:
    plugin = write_plugin()
    (plugin / "manifest.py").chmod(0o600)

    with pytest.raises(PlatformError, match=r"manifest\.py cannot be read"):
        start(plugin)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_requests_made_together_are_answered_in_any_number(
    write_plugin: Callable[..., Path], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    plugin = write_plugin(realtime=handler("return request['n']"))

    async def scenario() -> list[Any]:
        execution = LocalExecution()
        host = await execution.start(HostSpec(plugin, "sample"))
        try:
            return await asyncio.gather(*(host.predict({"n": n}) for n in range(500)))
        finally:
            await execution.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(scenario()) == list(range(500))


def test_health_comes_back_while_a_call_runs(write_plugin: Callable[..., Path]) -> None:
    plugin = write_plugin(realtime=handler("while not os.path.exists('/tmp/never'): time.sleep(0.01)"))

    async def scenario() -> None:
        execution = LocalExecution()
        host = await execution.start(HostSpec(plugin, "sample"))
        calls = [asyncio.ensure_future(host.predict({})) for _ in range(3)]
        health = await host.health()
        while not health.busy:
            health = await host.health()
        assert health.waiting == 2
        await execution.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [PluginCrashed] * 3

    asyncio.run(scenario())


def test_the_clock_of_a_call_starts_when_the_one_before_it_ends(write_plugin: Callable[..., Path]) -> None:
    plugin = write_plugin(realtime=handler("time.sleep(0.15)\nreturn 1"))

    async def scenario() -> list[Any]:
        execution = LocalExecution()
        host = await execution.start(HostSpec(plugin, "sample"))
        try:
            return await asyncio.gather(*(host.predict({}, timeout_s=1.0) for _ in range(12)))
        finally:
            await execution.close()

    assert asyncio.run(scenario()) == [1] * 12


def test_a_caller_that_goes_away_leaves_the_host_usable(write_plugin: Callable[..., Path]) -> None:
    plugin = write_plugin(realtime=handler("time.sleep(request.get('s', 0))\nreturn 1"))

    async def scenario() -> Any:
        execution = LocalExecution()
        host = await execution.start(HostSpec(plugin, "sample"))
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(host.predict({"s": 0.2}), 0.05)
            return await host.predict({})
        finally:
            await execution.close()

    assert asyncio.run(scenario()) == 1
