"""Our platform as a contender: a real server with all it has on, and the plugins that it serves."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from harness import processes
from harness.target import Target
from startup import free_port, start

from mixpeek import Mixpeek
from mixpeek.db.embedded import EmbeddedPostgres
from mixpeek.db.pool import scalar

TEXT_EMBEDDING = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "text_embedding"
# Work that follows other work, as an index follows a batch, begins within this time.
QUIET_S = 5.0
KEY = "sk_bench"  # as `startup.start` gives it


@dataclass
class Platform:
    """A running server, a namespace of it, and a folder for plugins."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    client: Mixpeek

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "server.log"

    def restart(self) -> int:
        """End the server, start it again at the same place once it has ended, and return how it ended."""
        self.process.terminate()
        code = self.process.wait(60)
        self.process, _ = start(self.folder / "data", self.port, self.log)
        return code

    @property
    def headers(self) -> tuple[str, ...]:
        return (f"authorization: Bearer {KEY}", f"x-namespace: {self.client.namespace}")

    def publish(self, source: Path, version: str = "1.0.0") -> str:
        """Publish a plugin's folder and return its plugin id."""
        plugin_id: str = self.client.plugins.upload(source, version=version).plugin_id
        return plugin_id

    def deploy(self, plugin_id: str) -> None:
        """Deploy a version; raise if it is not live afterwards."""
        self.client.plugins.deploy(plugin_id)
        status = self.client.plugins.wait(plugin_id, timeout_s=120, poll_s=0.05)
        if status.status != "DEPLOYED":
            raise RuntimeError(f"{plugin_id} is {status.status}: {status.error}")

    def target(self, name: str, request: dict[str, Any]) -> Target:
        """Return where a deployed plugin answers."""
        body = json.dumps({"inference_name": name, "inputs": request}).encode()
        return Target(self.port, "/v1/inference", body, self.headers, self.process.pid)

    def hosts(self) -> list[list[psutil.Process]]:
        """Return the processes of each host that may answer: its sandbox's and the plugin's own, innermost last."""
        api = next(each for each in tree_of(self) if "mixpeek.server.api" in each.cmdline())
        return [members for child in api.children() if is_host(members := processes.tree(child.pid))]


def tree_of(platform: Platform) -> list[psutil.Process]:
    """Return every process of a server: supervisor, API, worker, PostgreSQL and hosts."""
    members = processes.tree(platform.process.pid)
    pid_file = platform.folder / "data" / "postgres" / "postmaster.pid"
    postmaster = processes.tree(int(pid_file.read_text().split()[0]))
    return [*members, *(each for each in postmaster if each not in members)]


def is_host(members: list[psutil.Process]) -> bool:
    """Return whether processes are those of a plugin's host."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(members) and "mixpeek.host" in members[-1].cmdline()
    return False


def write_trivial(
    folder: Path,
    *,
    name: str = "trivial",
    version: str = "1.0.0",
    takes_s: float = 0.0,
    construct: str = "pass",
) -> Path:
    """Write the plugin that answers with the length of a text, after `takes_s`, and return its folder."""
    place = folder / f"{name}_{version}" / name
    place.mkdir(parents=True)
    files = {
        "manifest.py": f'metadata = {{"feature_extractor_name": "{name}", "version": "{version}", '
        '"description": "A length"}\ninput_schema = output_schema = {}\nfeatures = []\n',
        "pipeline.py": 'def build_steps(extractor_request, **known):\n    return {"steps": []}\n',
        "realtime.py": "import time\n\n\nclass RealtimeHandler:\n"
        f"    def __init__(self, config=None):\n        {construct}\n\n"
        "    def predict(self, request):\n"
        + (f"        time.sleep({takes_s})\n" if takes_s else "")
        + '        return {"length": len(request["text"])}\n',
    }
    for path, text in files.items():
        (place / path).write_text(text)
    return place


def await_quiet(platform: Platform, within_s: float = 600.0) -> None:
    """Return once a server has carried out what its batches left to do, such as indexes of what they wrote."""
    asked = (
        "SELECT count(*) FROM tasks WHERE status NOT IN ('COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED')"
    )
    deadline, since = time.monotonic() + within_s, time.monotonic()
    with psycopg.connect(EmbeddedPostgres(platform.folder / "data").url, autocommit=True) as connection:
        while time.monotonic() - since < QUIET_S:
            if scalar(connection, asked):
                since = time.monotonic()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server still works after {within_s:.0f} s")
            time.sleep(0.2)


@contextlib.contextmanager
def running_platform() -> Iterator[Platform]:
    """Start a server on a data directory of its own, with a namespace."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        process, _ = start(folder / "data", port, folder / "server.log")
        platform: Platform | None = None
        url = f"http://127.0.0.1:{port}"
        try:
            with Mixpeek(api_key=KEY, base_url=url) as admin:
                namespace = admin.namespaces.create("bench").namespace_id
            with Mixpeek(api_key=KEY, base_url=url, namespace=namespace) as client:
                platform = Platform(folder, port, process, client)
                yield platform
        finally:
            process = platform.process if platform else process
            processes.thaw(process.pid)
            process.terminate()
            process.wait(40)


@contextlib.contextmanager
def serve_ours(handler: str, request: dict[str, Any], workers: int = 1) -> Iterator[Target]:
    """The whole platform with `trivial` or `minilm` deployed, in so many replicas."""
    with running_platform() as platform:
        source = write_trivial(platform.folder) if handler == "trivial" else _text_embedding(platform.folder, workers)
        platform.deploy(platform.publish(source))
        yield platform.target(source.name, request)


def _text_embedding(folder: Path, replicas: int) -> Path:
    if replicas == 1:
        return TEXT_EMBEDDING
    source = Path(shutil.copytree(TEXT_EMBEDDING, folder / TEXT_EMBEDDING.name))
    with (source / "manifest.py").open("a") as manifest:
        manifest.write(f'\nserve_config = {{"num_replicas": {replicas}}}\n')
    return source
