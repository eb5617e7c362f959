"""What every test may use: one shared server, a namespace and a plugin of one's own, and how hypothesis searches.

Being here, it also makes `factories` importable from any test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from factories.commands import Command, Ran, WarmCommand, run_command
from factories.fresh_database import FreshDatabase
from factories.plugins import MakePlugin, write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

# The machine may be slow or shared: an example that takes long is no failure.
settings.register_profile("suite", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("suite")


def pytest_xdist_auto_num_workers() -> int | None:
    """Return how many processes `-n auto` means: two more than processors, as most tests wait for servers and hosts."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return (os.cpu_count() or 1) + 2


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what failed and was run again, where that is asked for: what passes then is a fault of test or code too."""
    again = terminalreporter.getreports("rerun")
    if again:
        terminalreporter.section("failed, and run again")
    for report in again:
        terminalreporter.write_sep("_", report.nodeid, red=True)
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session", autouse=True)
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> FreshDatabase:
    """Have servers begin with a copy of one database, which all processes of this run share and the first one makes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    Server.fresh = FreshDatabase(shared / "fresh_database")
    return Server.fresh


@pytest.fixture(scope="session", autouse=True)
def _warm_command() -> Iterator[None]:
    """Have commands run from a process that has loaded them already."""
    WarmCommand.shared = WarmCommand()
    yield
    WarmCommand.shared.close()


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheels that the shared server takes packages from, and from nowhere else."""
    return tmp_path_factory.mktemp("wheelhouse")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Iterator[Server]:
    """The server that tests share; it must end cleanly when they are done."""
    settings = {"MIXPEEK_BATCH_HOSTS": "1", "MIXPEEK_WHEELHOUSE": str(wheelhouse)}
    settings |= {"MIXPEEK_WEBHOOK_ALLOW": "127.0.0.1", "MIXPEEK_WEBHOOK_RETRY_S": "0.1"}
    running = Server(tmp_path_factory.mktemp("shared") / "data", settings)
    try:
        yield running.start()
        assert running.stop() == 0
        assert running.postmaster_pid() is None
        assert running.complaints() == []
    finally:
        running.discard()


@pytest.fixture
def client(server: Server) -> Iterator[Mixpeek]:
    """A client in a fresh namespace of the shared server."""
    with server.client() as own:
        yield own


@pytest.fixture
def make_plugin(tmp_path: Path) -> MakePlugin:
    """Write a plugin (`factories.plugins.write_plugin`) into a folder called as the plugin is."""

    def make(name: str = "small_words", *, into: str = "plugins", **parts: Any) -> Path:
        return write_plugin(tmp_path / into / name, **parts)

    return make


@pytest.fixture
def mix(server: Server, client: Mixpeek, tmp_path: Path) -> Command:
    """Run the command against the shared server, in the namespace of `client`."""
    settings = {
        "MIXPEEK_API_KEY": API_KEY,
        "MIXPEEK_BASE_URL": server.url,
        "MIXPEEK_NAMESPACE": client.namespace or "",
    }

    def run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Ran:
        return run_command(*arguments, cwd=cwd or tmp_path, **{**settings, **variables})

    return run
