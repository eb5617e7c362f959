"""What plugin code cannot do, tried from inside a plugin, in realtime and in a batch.

Each attempt is first made outside the sandbox, where it succeeds: an attempt that could not work proves nothing.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch
from factories.plugins import write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek

# The scan would refuse `import socket`; it warns of a computed one, and the sandbox is the boundary in any case.
ATTEMPTS = '''
import importlib
import os


def _module(name):
    return importlib.import_module(name)


def attempt(what, where):
    """Return "done: ..." with what was got, or "refused: ..." with the error."""
    try:
        return f"done: {globals()['_' + what](where)}"
    except Exception as error:
        return f"refused: {type(error).__name__}: {error}"


def _write(where):
    with open(where, "w") as file:
        file.write("x")
    os.remove(where)


def _read(where):
    with open(where) as file:
        return file.read()[:200]


def _list(where):
    return sorted(os.listdir(where))


def _connect(where):
    host, port = where.split(":")
    module = _module("socket")
    with module.create_connection((host, int(port)), timeout=3):
        return "connected"


def _connect_to_database(where):
    module = _module("socket")
    with module.socket(module.AF_UNIX) as connection:
        connection.connect(where)
    return "connected"


def _environment(where):
    return {name: value for name, value in os.environ.items() if where in name or where in value}


def _start_program(where):
    module = _module("subprocess")
    return module.run([where], check=True, capture_output=True).returncode
'''


@pytest.fixture(scope="module")
def prober(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client whose namespace has the plugin `prober` deployed."""
    folder = write_plugin(
        tmp_path_factory.mktemp("prober") / "prober",
        batch="""
            import json
            from ..attempts import attempt

            batch[FEATURE] = column_of(batch['data'])
            batch['report'] = [attempt(**json.loads(text)) for text in batch['data']]
        """,
        files={
            "attempts.py": ATTEMPTS,
            "realtime.py": """
                from .attempts import attempt
                from .embedding import embed


                class RealtimeHandler:
                    def predict(self, request):
                        report = attempt(request.get("what", "list"), request.get("where", "/"))
                        return {"embedding": embed("x").tolist(), "report": report}
            """,
        },
    )
    with server.client() as client:
        publish(client, folder, deploy=True)
        yield client


@pytest.fixture(scope="module")
def elsewhere(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked files of a plugin in another namespace, deployed so that they are surely there."""
    with server.client() as client:
        plugin_id = publish(client, write_plugin(tmp_path_factory.mktemp("other") / "secret_words"), deploy=True)
        code_hash = client.plugins.get(plugin_id).plugin.code_hash
    return server.data_dir / "unpacked" / code_hash


@pytest.fixture(scope="module")
def attempts(server: Server, elsewhere: Path) -> dict[str, tuple[str, str]]:
    """What is tried, by the words a test names it with."""
    data_dir = server.data_dir
    return {
        "write beside the plugin's files": ("write", "/plugin/new"),
        "write into its own package": ("write", "/plugin/prober/new"),
        "write into the system": ("write", "/usr/new"),
        "write into the data dir": ("write", str(data_dir / "new")),
        "read the admin key": ("read", str(data_dir / "admin.key")),
        "read the data dir": ("list", str(data_dir)),
        "read another namespace's plugin": ("read", str(elsewhere / "manifest.py")),
        "read the password file": ("read", "/etc/shadow"),
        "read the server's environment": ("read", f"/proc/{server.pid}/environ"),
        "connect to the server": ("connect", urlsplit(server.url).netloc),
        "connect to the database": ("connect_to_database", str(data_dir / "run" / ".s.PGSQL.5432")),
        "start a program": ("start_program", "/usr/bin/env"),
    }


ASKED = (
    "write beside the plugin's files", "write into its own package", "write into the system",
    "write into the data dir", "read the admin key", "read the data dir", "read another namespace's plugin",
    "read the password file", "read the server's environment", "connect to the server", "connect to the database",
    "start a program",
)  # fmt: skip
INSIDE_ONLY = frozenset({"write beside the plugin's files", "write into its own package"})


def ask(prober: Mixpeek, what: str, where: str) -> str:
    answer = prober.plugins.realtime_test("prober_1_0_0", {"what": what, "where": where})
    assert answer.status == "success", answer
    report: str = answer["raw_response"]["report"]
    return report


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """The same attempts, made by this process, without a sandbox."""
    source = tmp_path_factory.mktemp("outside") / "attempts.py"
    source.write_text(ATTEMPTS)
    attempt: Callable[[str, str], str] = runpy.run_path(str(source))["attempt"]
    return attempt


@pytest.mark.parametrize("words", ASKED)
def test_from_realtime_a_plugin_cannot(
    words: str,
    prober: Mixpeek,
    attempts: dict[str, tuple[str, str]],
    outside: Callable[[str, str], str],
) -> None:
    what, where = attempts[words]

    report = ask(prober, what, where)

    assert report.startswith("refused: "), report
    assert words in INSIDE_ONLY or outside(what, where).startswith("done: "), "outside the sandbox this works"


def test_from_a_batch_a_plugin_cannot_do_any_of_it_either(
    prober: Mixpeek, attempts: dict[str, tuple[str, str]]
) -> None:
    texts = [json.dumps({"what": what, "where": where}) for what, where in attempts.values()]
    collection = collection_of(prober, bucket_with(prober, texts), "prober")

    task = run_batch(prober, collection)
    reports: dict[str, Any] = {d["content"]: d["report"] for d in all_documents(prober, collection)}

    assert task.status == "COMPLETED", task.error
    assert [text for text in texts if not reports[text].startswith("refused: ")] == []


def test_a_plugin_may_write_into_its_scratch(prober: Mixpeek) -> None:
    assert ask(prober, "write", "/tmp/mine") == "done: None"


def test_a_plugin_sees_no_setting_and_no_secret_of_the_server(prober: Mixpeek, server: Server) -> None:
    settings = ask(prober, "environment", "MIXPEEK_")
    keys = ask(prober, "environment", API_KEY)
    paths = ask(prober, "environment", str(server.data_dir))

    assert settings == keys == paths == "done: {}"


def test_a_plugin_sees_no_process_but_its_own(prober: Mixpeek) -> None:
    report = ask(prober, "list", "/proc")

    pids = [name for name in report.replace("'", " ").replace(",", " ").split() if name.isdigit()]
    assert 0 < len(pids) <= 4, pids


def test_the_scan_warns_of_the_import_it_cannot_check(prober: Mixpeek) -> None:
    warnings = prober.plugins.get("prober_1_0_0").plugin.warnings

    assert {"security.computed_import"} <= {warning["rule"] for warning in warnings}
    assert all(warning["path"] == "attempts.py" and warning["line"] for warning in warnings)
