"""Real hosts that ask: plugin code in the sandbox reads assets and secrets, and cannot hold more than its share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mixpeek.contract.asking import READ_BYTES, Refused
from mixpeek.errors import PluginRaised
from mixpeek.execution.asks import channel
from mixpeek.execution.asks.port import Generation, GenerationRequest
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec, LogLine, LogOrigin

ORIGIN = LogOrigin("ns_1", "sample_1_0_0", "test")
URL = "s3://mixpeek/namespaces/ns_1/assets/x/video.mp4"
SIZE = 5 * READ_BYTES + 123
SECRET = "sesame-open-42"

HANDLER = f"""
    import asyncio
    import hashlib
    import importlib
    import os
    import sys
    from shared.plugins import download_asset, open_asset
    from shared.plugins.sdk import concurrent_api_calls, parallel_io

    URL = {URL!r}

    class RealtimeHandler:
        def __init__(self, container):
            self.container = container

        def predict(self, request):
            try:
                return {{"said": globals()[request["do"]](self.container)}}
            except (OSError, LookupError, RuntimeError) as error:
                return {{"error": type(error).__name__, "code": getattr(error, "code", None), "said": str(error)}}

    def read_whole(container):
        with open_asset(URL) as asset:
            return hashlib.sha256(asset.read()).hexdigest()

    def read_here_and_there(container):
        with open_asset(URL) as asset:
            first = asset.read(3)
            asset.seek(-2, 2)
            last = asset.read()
            asset.seek(1)
            return [list(first), list(last), list(asset.read(2)), asset.tell(), asset.seekable()]

    def download(container):
        path = download_asset(URL)
        try:
            with open(path, "rb") as file:
                return [os.path.splitext(path)[1], hashlib.sha256(file.read()).hexdigest()]
        finally:
            os.remove(path)

    def download_huge(container):
        return download_asset("huge")

    def read_on_threads(container):
        return len(set(parallel_io(read_whole, [container] * 12, 12)))

    def read_in_a_loop(container):
        async def one(_):
            return await asyncio.to_thread(read_whole, container)
        return len(concurrent_api_calls(one, range(4)))

    def secret(container):
        return concurrent_api_calls(container.secrets.get, ["KEY"])[0]

    def print_secret(container):
        print("the key is", secret(container), flush=True)

    def raise_secret(container):
        raise ValueError(f"https://service/?key={{secret(container)}}")

    def absent(container):
        return open_asset("absent")

    def faulty(container):
        return open_asset("faulty")

    def generate(container):
        written = asyncio.run(container.llm.generate("Hello", max_tokens=5))
        return [written, written.usage]

    def process(container):
        return asyncio.run(container.llm.process(["a", "b", "c"], "Shout", temperature=0))

    def ask_slowly(container):
        return len(parallel_io(lambda _: open_asset(URL), range(40), 40))

    def ask_without_listening(container):
        asking = sys.modules["mixpeek.contract.asking"]._Connected.platform
        question = importlib.import_module("mixpeek.host.frames").encode(
            {{"id": 1, "ask": "asset.read", "url": URL, "offset": 0, "size": 1048576}}
        )
        asking._connection.settimeout(1.0)
        try:
            for sent in range(100_000):
                asking._connection.sendall(question)
        except TimeoutError:
            return sent

    def send_nonsense(container):
        asking = sys.modules["mixpeek.contract.asking"]._Connected.platform
        asking._connection.sendall(b"\\xff" * 64)
        return open_asset(URL)

    def own_file(container):
        with open_asset("words.txt") as file:
            return file.read().decode()
"""


class StagedBroker:
    """Has one asset, one secret, and a model that shouts; counts how many questions are carried out at once."""

    def __init__(self) -> None:
        pattern = bytes(range(256))
        self.content = (pattern * (SIZE // 256 + 1))[:SIZE]
        self.asked_for: list[str | None] = []
        self.running = self.most = 0
        self.reads = 0
        self.slow_s = 0.0

    async def asset_size(self, namespace_id: str | None, url: str) -> int:
        self.asked_for.append(namespace_id)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.slow_s)
        self.running -= 1
        if url == "huge":
            return 100 * 1024**3
        if url == "faulty":
            raise ZeroDivisionError("words of our own")
        if url != URL:
            raise Refused("not_found", "there is no such asset")
        return len(self.content)

    async def read_asset(self, namespace_id: str | None, url: str, offset: int, size: int) -> bytes:
        self.reads += 1
        return self.content[offset : offset + size]

    async def secret(self, namespace_id: str | None, name: str) -> str:
        return SECRET

    async def list_secrets(self, namespace_id: str | None) -> list[str]:
        return ["KEY"]

    async def generate(self, namespace_id: str | None, request: GenerationRequest) -> Generation:
        return Generation(request.prompt.upper(), "tiny", {"total_tokens": request.max_tokens or 0})


class Lines:
    """Keeps what hosts print."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def write(self, origin: LogOrigin, host_id: str, lines: Any) -> None:
        self.lines += lines


@pytest.fixture(scope="module")
def broker() -> StagedBroker:
    return StagedBroker()


@pytest.fixture(scope="module")
def lines() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
def answered(broker: StagedBroker, lines: Lines) -> Iterator[BlockingExecution]:
    with BlockingExecution(LocalExecution(logs=lines, broker=broker)) as running:
        yield running


Ask = Callable[[str], Any]


@pytest.fixture
def host(answered: BlockingExecution, write_plugin: Callable[..., Path]) -> Iterator[BlockingHost]:
    plugin = write_plugin(realtime=HANDLER)
    (plugin / "words.txt").write_text("beside the code")
    running = answered.start(HostSpec(plugin, "sample", origin=ORIGIN))
    yield running
    running.close()


@pytest.fixture
def ask(host: BlockingHost) -> Ask:
    return lambda what: host.predict({"do": what}, timeout_s=20)


def test_an_asset_is_read_whole_in_pieces_and_downloaded(ask: Ask, broker: StagedBroker) -> None:
    digest = sha256(broker.content).hexdigest()

    assert ask("read_whole") == {"said": digest}
    assert ask("download") == {"said": [".mp4", digest]}
    assert ask("read_here_and_there") == {"said": [[0, 1, 2], list(broker.content[-2:]), [1, 2], 3, True]}
    assert set(broker.asked_for) == {ORIGIN.namespace_id}


def test_threads_and_event_loops_of_a_plugin_ask_at_once_without_waiting_for_each_other_for_ever(ask: Ask) -> None:
    assert ask("read_on_threads") == {"said": 1}
    assert ask("read_in_a_loop") == {"said": 4}


def test_a_download_larger_than_the_scratch_folder_is_refused_before_it_begins(ask: Ask, host: BlockingHost) -> None:
    refused = ask("download_huge")

    assert (refused["error"], refused["code"]) == ("AssetUnavailable", "too_large")
    assert "huge cannot be opened: it has 102,400.0 MiB, and /tmp has" in refused["said"]
    assert host.alive


def test_a_refusal_names_the_address_and_the_reason_and_a_fault_of_ours_keeps_its_words(ask: Ask) -> None:
    absent, faulty = ask("absent"), ask("faulty")

    assert absent["said"] == "absent cannot be opened: there is no such asset"
    assert absent["code"] == "not_found"
    assert faulty["code"] == "unavailable"
    assert "words of our own" not in faulty["said"]


def test_a_secret_reaches_the_plugin_and_neither_its_log_nor_its_errors(
    ask: Ask, host: BlockingHost, lines: Lines
) -> None:
    assert ask("secret") == {"said": SECRET}
    ask("print_secret")
    with pytest.raises(PluginRaised, match=r"key=\*\*\*") as raised:
        ask("raise_secret")
    host.close()

    kept = [f"{line.message} {line.exception}" for line in lines.lines]
    assert any("the key is ***" in line for line in kept)
    assert any("key=***" in line for line in kept)
    assert SECRET not in "".join([*kept, str(raised.value.details), host.stderr_tail()])


def test_a_language_model_writes_to_one_prompt_and_to_several_in_order(ask: Ask) -> None:
    assert ask("generate") == {"said": ["HELLO", {"total_tokens": 5}]}
    assert ask("process") == {"said": ["A", "B", "C"]}


def test_a_host_that_asks_for_much_at_once_is_answered_a_few_at_a_time(ask: Ask, broker: StagedBroker) -> None:
    broker.slow_s, broker.most = 0.01, 0

    assert ask("ask_slowly") == {"said": 40}
    broker.slow_s = 0.0

    assert broker.most == channel.AT_ONCE


def test_a_host_that_does_not_read_its_answers_waits_itself_and_holds_little_of_ours(
    ask: Ask, host: BlockingHost, broker: StagedBroker
) -> None:
    broker.reads = 0

    sent = ask("ask_without_listening")["said"]

    assert sent < 10_000  # what the sockets and one frame reader hold, then nothing more is read
    assert broker.reads <= 3 * channel.AT_ONCE
    assert host.alive


def test_nonsense_ends_what_a_host_may_ask_and_not_what_it_answers(ask: Ask, host: BlockingHost) -> None:
    refused = ask("send_nonsense")

    assert refused["code"] == "unavailable"
    assert host.health().answered == 1


def test_files_of_the_plugin_are_opened_by_their_names(ask: Ask) -> None:
    assert ask("own_file") == {"said": "beside the code"}


def test_without_a_broker_a_host_is_told_so(execution: BlockingExecution, write_plugin: Callable[..., Path]) -> None:
    host = execution.start(HostSpec(write_plugin(realtime=HANDLER), "sample"))

    refused = host.predict({"do": "read_whole"})
    host.close()

    assert "started without a platform" in refused["said"]


def test_a_channel_that_ends_fails_what_is_asked_and_not_the_host(
    answered: BlockingExecution, host: BlockingHost, ask: Ask, broker: StagedBroker
) -> None:
    asks: Any = host._host._asks  # the platform's end, as if it had gone
    broker.slow_s = 60.0
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(ask("ask_slowly")))
    asking.start()
    while not broker.running:
        asking.join(0.01)
    answered.call(_closed(asks))
    asking.join(20)
    broker.slow_s, broker.running = 0.0, 0

    assert answers[0]["code"] == "unavailable"
    assert "no longer answers" in ask("read_whole")["said"]
    assert host.alive


async def _closed(asks: Any) -> None:
    asks.close()
