"""Plugins that ask for a network or a GPU, on a server as it is installed; all traffic stays on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from factories.commands import run_command
from factories.platform import all_documents, bucket_with, collection_of, deployed, publish, run_batch
from factories.plugins import PIPELINE, MakePlugin, write_plugin
from factories.servers import Server
from mixpeek import Mixpeek

API = 'compute_profile = {"resource_type": "api"}'
GPU = 'compute_profile = {"resource_type": "gpu"}'
FETCH = """
import httpx


def fetch(url):
    return httpx.get(url).raise_for_status().text
"""
FETCHING: dict[str, Any] = {
    "manifest": API,
    "files": {"fetch.py": FETCH},
    "predict": """
        from .fetch import fetch
        url = request.get("url")
        return {"embedding": embed("x").tolist(), "found": fetch(url) if url else None}
    """,
    "batch": """
        from ..fetch import fetch
        batch["found"] = [fetch(url) for url in batch["data"]]
        batch[FEATURE] = column_of(batch["data"])
    """,
}


@pytest.fixture(scope="module")
def fetcher(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A namespace of the shared server, which exempts nothing, with a deployed api plugin."""
    folder = write_plugin(tmp_path_factory.mktemp("fetcher") / "fetcher", **FETCHING)
    with server.client() as client:
        publish(client, folder, deploy=True)
        yield client


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of an HTTP server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.server_port
        running.shutdown()
        thread.join()


def test_health_says_how_plugins_have_a_network(server: Server) -> None:
    egress = httpx.get(f"{server.url}/v1/health").json()["data"]["egress"]

    assert egress["mode"] == "proxy"
    assert "public addresses" in egress["detail"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433"])
def test_an_api_plugin_cannot_ask_the_server_itself(fetcher: Mixpeek, server: Server, host: str) -> None:
    port = urlsplit(server.url).port

    answer = fetcher.plugins.realtime_test("fetcher_1_0_0", {"url": f"http://{host}:{port}/v1/health"})

    assert answer.status == "error"
    assert f"egress to {host}:{port} is refused: loopback address" in str(answer)
    assert f"egress to {host}:{port} is refused" in server.log.read_text()


def test_in_a_batch_a_row_that_is_refused_says_why(fetcher: Mixpeek) -> None:
    collection = collection_of(fetcher, bucket_with(fetcher, ["http://169.254.169.254/latest"]), "fetcher")

    task = run_batch(fetcher, collection)

    assert task.status == "FAILED"
    assert "egress to 169.254.169.254:80 is refused: link-local address" in task.error


def test_a_plugin_that_needs_a_gpu_is_refused_by_name_where_there_is_none(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin_id = publish(client, make_plugin("words", manifest=GPU))

    status = deployed(client, plugin_id)

    assert status.status == "FAILED"
    assert status.error.startswith("NoGpu: ")
    assert "MIXPEEK_GPU_FALLBACK=cpu" in status.error


def test_for_batches_only_it_is_taken_with_a_warning_and_the_batch_fails_by_name(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin_id = publish(client, make_plugin("words", manifest=GPU))
    client.plugins.deploy(plugin_id, batch_only=True)
    status = client.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)
    collection = collection_of(client, bucket_with(client, ["one", "two"]), "words")

    task = run_batch(client, collection)

    assert status.status == "NOT_DEPLOYED"
    assert any("Batches of this version will fail" in w and "NoGpu" in w for w in status.warnings), status
    assert task.status == "FAILED"
    assert task.error.startswith("NoGpu: ")


def test_an_operators_settings_open_one_listener_and_let_gpu_plugins_run_on_the_processor(
    tmp_path: Path, listener: int, make_plugin: MakePlugin
) -> None:
    settings = {"MIXPEEK_EGRESS_ALLOW": f"127.0.0.1:{listener}", "MIXPEEK_GPU_FALLBACK": "cpu"}
    url = f"http://127.0.0.1:{listener}/"
    server = Server(tmp_path / "data", settings)
    try:
        server.start()
        with server.client() as client:
            publish(client, make_plugin("fetcher", **FETCHING), deploy=True)
            on_cpu = deployed(client, publish(client, make_plugin("words", manifest=GPU)))

            answer = client.plugins.realtime_test("fetcher_1_0_0", {"url": url})
            collection = collection_of(client, bucket_with(client, [url]), "fetcher")
            task = run_batch(client, collection)
            documents = all_documents(client, collection)

        assert answer["raw_response"]["found"] == "hello", answer
        assert task.status == "COMPLETED", task.error
        assert [document["found"] for document in documents] == ["hello"]
        assert on_cpu.status == "DEPLOYED"
        assert any("runs on the processor" in warning for warning in on_cpu.warnings), on_cpu
        assert server.stop() == 0
    finally:
        server.discard()


def test_plugin_test_gives_an_api_step_the_same_network_and_warns_of_a_missing_gpu(
    tmp_path: Path, listener: int, make_plugin: MakePlugin
) -> None:
    pipeline = PIPELINE.replace("service_class=Processor", 'service_class=Processor, resource_type="api"')
    parts = {**FETCHING, "manifest": GPU, "files": {"fetch.py": FETCH, "pipeline.py": pipeline}, "realtime": False}
    folder = make_plugin("fetcher", **parts)
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"text": f"http://127.0.0.1:{listener}/"}]))
    test = ("plugin", "test", folder, "--sample-data", rows)

    ran = run_command(*test, cwd=tmp_path, MIXPEEK_EGRESS_ALLOW=f"127.0.0.1:{listener}")

    assert ran.code == 0, ran
    assert "warning: The plugin asks for a GPU" in ran.err


def test_a_setting_that_cannot_be_read_ends_the_start_with_its_name(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", {"MIXPEEK_EGRESS_ALLOW": "10.0.0.1/8"})
    try:
        with pytest.raises(AssertionError):
            server.start(within_s=10)
        assert "MIXPEEK_EGRESS_ALLOW has the entry '10.0.0.1/8'" in server.log.read_text()
    finally:
        server.discard()
