"""Real hosts and the way out of them: who has one, what it leads to, and that building has none.

Everything stays on loopback: the listeners here are reached because an operator's exception names them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pytest

from factories.waiting import until
from mixpeek.errors import EgressOff, NoGpu, PluginCrashed, PluginError, PluginRaised
from mixpeek.execution.blocking import BlockingExecution, BlockingHost
from mixpeek.execution.egress.policy import EgressPolicy
from mixpeek.execution.grants import Grants
from mixpeek.execution.local import LocalExecution
from mixpeek.execution.port import HostSpec

WritePlugin = Callable[..., Path]

FETCHING = """
    import json
    import urllib.request
    from pathlib import Path

    import httpx
    import requests

    def with_httpx(url):
        return httpx.get(url).raise_for_status().text

    def with_requests(url):
        answer = requests.get(url)
        answer.raise_for_status()
        return answer.text

    def size_with_httpx(url):
        return len(httpx.get(url).content)

    def with_urllib(url):
        return urllib.request.urlopen(url).read().decode()

    def with_open_asset(url):
        from shared.plugins import open_asset
        with open_asset(url) as asset:
            asset.seek(1)
            return "h" + asset.read().decode()

    def with_client(url):
        with httpx.Client() as client:
            return [client.get(part).text for part in url]

    def proxy_variables(_):
        import os
        return {name: value for name, value in os.environ.items() if "proxy" in name.lower()}

    def listeners(_):
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return [line.split()[1] for line in lines if line.split()[3] == "0A"]

    def connect(address):
        module = __import__("sock" + "et")
        with module.socket(module.AF_INET, module.SOCK_STREAM) as out:
            out.settimeout(5)
            out.connect(tuple(address))

    def open_socket(family):
        module = __import__("sock" + "et")
        module.socket(getattr(module, family), module.SOCK_DGRAM).close()

    def hang(address):
        module = __import__("sock" + "et")
        with module.create_connection(("127.0.0.1", 3128)) as out:
            out.sendall(f"CONNECT {address} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET / HTTP/1.1\\r\\n".encode())
            while out.recv(1000):
                pass

    ACTIONS = dict(globals())
"""
MANIFEST = """
    metadata = {"feature_extractor_name": "sample", "version": "1.0.0", "description": "A sample"}
    features = []
"""
REALTIME = """
    from .fetching import ACTIONS

    class RealtimeHandler:
        def predict(self, request):
            return {"found": ACTIONS[request["what"]](request.get("where"))}
"""
PIPELINE = """
    from engine.plugins.extractors.pipeline import ResourceType, StepDefinition

    from .fetching import with_urllib

    class Processor:
        def __init__(self, config):
            pass

        def __call__(self, batch):
            batch["found"] = [with_urllib(url) for url in batch["data"]]
            return batch

    def build_steps(extractor_request, container=None, base_steps=None, **kwargs):
        parameters = extractor_request.parameters or {}
        if "call" in parameters:
            with_urllib(parameters["call"])
        kind = ResourceType(parameters.get("kind", "cpu"))
        return {"steps": [StepDefinition(Processor, resource_type=kind, enabled=parameters.get("enabled", True))]}
"""


class Site:
    """A server on loopback that counts its connections and notices when one ends."""

    def __init__(self) -> None:
        site = self
        self.connections, self.ended = 0, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                site.connections += 1
                super().setup()

            def do_GET(self) -> None:
                content = b"x" * 10_000_000 if self.path == "/large" else b"hello"
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def finish(self) -> None:
                super().finish()
                site.ended.set()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture(scope="module")
def allowed() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture(scope="module")
def other() -> Iterator[Site]:
    """A listener that no exception names."""
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture(scope="module")
def opened(allowed: Site) -> Iterator[BlockingExecution]:
    policy = EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": f"127.0.0.1:{allowed.port}"})
    local = LocalExecution(Grants(policy))
    with BlockingExecution(local) as running:
        yield running


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("egress") / "sample"
    root.mkdir()
    for name, source in {
        "fetching": FETCHING,
        "realtime": REALTIME,
        "pipeline": PIPELINE,
        "manifest": MANIFEST,
    }.items():
        (root / f"{name}.py").write_text(dedent(source))
    return root


@pytest.fixture(scope="module")
def host(opened: BlockingExecution, plugin: Path) -> Iterator[BlockingHost]:
    running = opened.start(HostSpec(plugin, "sample", network=True))
    yield running
    running.close()


def ask(host: BlockingHost, what: str, where: Any = None) -> Any:
    return host.predict({"what": what, "where": where})["found"]


@pytest.mark.parametrize("library", ["with_httpx", "with_requests", "with_urllib", "with_open_asset"])
def test_libraries_reach_an_exempted_listener_unmodified(host: BlockingHost, allowed: Site, library: str) -> None:
    assert ask(host, library, f"http://127.0.0.1:{allowed.port}/") == "hello"
    assert ask(host, library, f"http://localhost:{allowed.port}/") == "hello"


def test_one_client_may_go_to_an_allowed_server_and_is_still_refused_the_next(
    host: BlockingHost, allowed: Site, other: Site
) -> None:
    before = other.connections
    pages = [f"http://127.0.0.1:{port}/" for port in (allowed.port, other.port, allowed.port)]

    found = ask(host, "with_client", pages)

    assert found[0] == found[2] == "hello"
    assert "is refused: loopback address" in found[1]
    assert other.connections == before


@pytest.mark.parametrize("library", ["with_httpx", "with_requests", "with_urllib"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_listener_without_an_exception_is_refused_and_the_exception_says_so(
    host: BlockingHost, other: Site, library: str, scheme: str
) -> None:
    before = other.connections

    with pytest.raises(PluginRaised, match=rf"egress to 127\.0\.0\.1:{other.port} is refused: loopback address"):
        ask(host, library, f"{scheme}://127.0.0.1:{other.port}/")

    assert other.connections == before


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("169.254.169.254", "link-local address"),
        ("[::1]:8000", "loopback address"),
        ("localhost:8000", "loopback address"),
        ("0x7f.1:8000", "loopback address"),
        ("2130706433:8000", "loopback address"),
        ("[::ffff:a9fe:a9fe]", "link-local address inside an IPv6 one"),
        ("10.0.0.1", "private address"),
        ("8.8.8.8:25", "of the ports below 1024 only 80 and 443"),
    ],
)
def test_what_is_not_public_is_refused_by_its_kind(host: BlockingHost, address: str, reason: str) -> None:
    with pytest.raises(PluginRaised, match=rf"is refused: {reason}"):
        ask(host, "with_urllib", f"http://{address}/latest/meta-data/")


def test_past_the_proxy_there_is_no_network(host: BlockingHost, other: Site) -> None:
    for address in (["127.0.0.1", other.port], ["8.8.8.8", 443], ["192.0.2.2", 80]):
        with pytest.raises(PluginRaised, match=r"Connection refused|Network is unreachable"):
            ask(host, "connect", address)
    assert ask(host, "listeners") == ["0100007F:0C38"], "it sees its own proxy, and no other host's"


@pytest.mark.parametrize("family", ["AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"])
def test_other_families_of_sockets_stay_closed(host: BlockingHost, family: str) -> None:
    with pytest.raises(PluginRaised, match="PermissionError"):
        ask(host, "open_socket", family)


def test_a_host_that_asks_for_no_network_has_no_proxy(opened: BlockingExecution, plugin: Path) -> None:
    host = opened.start(HostSpec(plugin, "sample"))
    try:
        assert ask(host, "proxy_variables") == {}
        assert ask(host, "listeners") == []
        with pytest.raises(PluginRaised, match="PermissionError"):
            ask(host, "connect", ["127.0.0.1", 3128])
    finally:
        host.close()


def test_build_has_no_network_while_the_same_call_in_a_processor_has(host: BlockingHost, allowed: Site) -> None:
    url = f"http://127.0.0.1:{allowed.port}/"
    rows = pa.table({"data": [url], "document_id": ["a"]})
    host.build({})
    assert host.run(rows)["found"].to_pylist() == ["hello"]
    before = allowed.connections

    for _ in range(2):
        with pytest.raises(PluginRaised, match="the manifest and `build_steps` run without a network"):
            host.build({"call": url})

    assert allowed.connections == before
    assert host.run(rows)["found"].to_pylist() == ["hello"]


def test_an_import_of_the_manifest_has_no_network(
    opened: BlockingExecution, write_plugin: WritePlugin, allowed: Site
) -> None:
    manifest = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{allowed.port}/')\n"
    host = opened.start(HostSpec(write_plugin(manifest=manifest), "sample", network=True))
    try:
        with pytest.raises(PluginRaised, match="run without a network"):
            host.describe()
    finally:
        host.close()


@pytest.mark.parametrize(
    ("parameters", "has_network"),
    [({"kind": "api"}, True), ({"kind": "cpu"}, False), ({"kind": "api", "enabled": False}, False)],
)
def test_a_pipeline_with_an_enabled_api_step_is_started_with_a_network(
    opened: BlockingExecution, plugin: Path, parameters: dict[str, Any], has_network: bool
) -> None:
    host, steps = opened.start_built(HostSpec(plugin, "sample"), parameters)
    try:
        assert steps[0].resource_type == parameters["kind"]
        assert (ask(host, "proxy_variables") != {}) is has_network
    finally:
        host.close()


def test_the_death_of_a_host_ends_its_connections(opened: BlockingExecution, plugin: Path) -> None:
    site = Site()
    policy = EgressPolicy.from_environ({"MIXPEEK_EGRESS_ALLOW": f"127.0.0.1:{site.port}"})
    before = _descriptors()
    with BlockingExecution(LocalExecution(Grants(policy))) as execution:
        host = execution.start(HostSpec(plugin, "sample", network=True))
        caught: list[PluginError] = []

        def call() -> None:
            with pytest.raises(PluginCrashed) as error:
                ask(host, "hang", f"127.0.0.1:{site.port}")
            caught.append(error.value)

        calling = threading.Thread(target=call)
        calling.start()
        until(lambda: site.connections == 1, what="the connection is made")
        assert not site.ended.is_set()

        os.kill(host.pid, signal.SIGKILL)
        calling.join()

        assert site.ended.wait(5)
        assert len(caught) == 1
    site.server.shutdown()
    site.server.server_close()
    until(lambda: _descriptors() <= before, what="all is closed")


def test_ten_megabytes_come_through_a_host_in_good_time(host: BlockingHost, allowed: Site) -> None:
    ask(host, "with_urllib", f"http://127.0.0.1:{allowed.port}/")
    started = time.monotonic()

    size_bytes = ask(host, "size_with_httpx", f"http://127.0.0.1:{allowed.port}/large")

    assert size_bytes == 10_000_000
    assert time.monotonic() - started < 5


def test_an_operator_who_gives_no_network_is_named_in_the_refusal(plugin: Path) -> None:
    closed = LocalExecution(Grants(EgressPolicy.from_environ({"MIXPEEK_EGRESS": "off"})))

    with BlockingExecution(closed) as execution, pytest.raises(EgressOff, match="MIXPEEK_EGRESS=off"):
        execution.start(HostSpec(plugin, "sample", network=True))


def test_a_host_that_asks_for_a_gpu_is_refused_or_runs_without_one(plugin: Path) -> None:
    spec = HostSpec(plugin, "sample", gpu=True)

    with BlockingExecution(LocalExecution(Grants())) as execution, pytest.raises(NoGpu, match="MIXPEEK_GPU_FALLBACK"):
        execution.start(spec)
    with BlockingExecution(LocalExecution(Grants(gpu_fallback=True))) as execution:
        assert ask(execution.start(spec), "listeners") == []


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
