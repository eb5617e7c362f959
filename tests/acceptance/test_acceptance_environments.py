"""Plugins that declare packages the server lacks: installed by the platform, the same ones ever after."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from factories.platform import all_documents, bucket_with, collection_of, deployed, publish, run_batch, search, unique
from factories.plugins import FEATURE, MakePlugin
from factories.servers import MakeServer
from factories.waiting import until
from factories.wheels import write_wheel
from mixpeek import Mixpeek
from mixpeek.client.errors import ApiError


def new_name() -> str:
    """Return the name of a package that no other test has, in its canonical form."""
    return unique("lexicon").replace("_", "")


def lexicon_wheel(wheelhouse: Path, name: str, version: str, axis: int, requires: tuple[str, ...] = ()) -> Path:
    """Write a package whose `embed` answers with the unit vector of an axis, whatever the text."""
    code = f"""
import numpy as np


def embed(text, dimension=8):
    vector = np.zeros(dimension, dtype=np.float32)
    vector[{axis}] = 1.0
    return vector
"""
    return write_wheel(wheelhouse, name, version, files={f"{name}/__init__.py": code}, requires=requires)


def parts(package: str, requirement: str, version: str) -> dict[str, Any]:
    """Return a plugin that imports a package wherever it embeds, and declares it."""
    return {
        "version": version,
        "manifest": f"dependencies = [{requirement!r}]",
        "files": {"embedding.py": f"from {package} import embed"},
    }


def axis_of_answer(client: Mixpeek, plugin_id: str) -> int:
    answer = client.plugins.realtime_test(plugin_id, {"text": "hello"})
    assert answer.status == "success", answer
    return int(answer["raw_response"]["embedding"].index(1.0))


def axes_of_documents(client: Mixpeek, collection: Any) -> set[int]:
    found = all_documents(client, collection, return_vectors=True)
    return {document[FEATURE].index(1.0) for document in found}


def test_a_declared_package_is_installed_used_everywhere_and_locked_beside_other_versions_of_it(
    client: Mixpeek, wheelhouse: Path, make_plugin: MakePlugin
) -> None:
    name = new_name()
    lexicon_wheel(wheelhouse, name, "1.0", axis=1)
    plugin = make_plugin("lexical", **parts(name, f"{name}>=1", "1.0.0"))

    published = client.plugins.upload(plugin, version="1.0.0")
    unlocked = client.plugins.get("lexical_1_0_0").plugin.lock
    first = deployed(client, published.plugin_id)

    assert {finding["rule"] for finding in published["warnings"]} == {"dependencies.not_installed_yet"}
    assert unlocked is None
    assert first.status == "DEPLOYED", first
    assert [entry["phase"] for entry in first.timeline][:2] == ["building", "gate"]
    assert f"{name} 1.0" in first.timeline[0]["detail"]
    assert first.realtime_source == "predict", "its style was found out once realtime.py could be imported"
    assert axis_of_answer(client, "lexical_1_0_0") == 1
    bucket_id = bucket_with(client, ["one", "two"])
    collection = collection_of(client, bucket_id, "lexical")
    assert run_batch(client, collection).status == "COMPLETED"
    assert axes_of_documents(client, collection) == {1}

    lexicon_wheel(wheelhouse, name, "2.0", axis=2)
    newer = make_plugin("lexical", into="v2", **parts(name, f"{name}>=1", "2.0.0"))
    assert deployed(client, publish(client, newer, version="2.0.0")).status == "DEPLOYED"
    assert deployed(client, "lexical_1_0_0").status == "DEPLOYED"

    assert axis_of_answer(client, "lexical_1_0_0") == 1, "deployed again, it still has the release it was locked to"
    assert axis_of_answer(client, "lexical_2_0_0") == 2
    assert len(search(client, collection, "anything")) == 2
    locks = [client.plugins.get(f"lexical_{number}_0_0").plugin.lock["packages"] for number in (1, 2)]
    own = [next(package for package in lock if package["name"] == name) for lock in locks]
    assert [package["version"] for package in own] == ["1.0", "2.0"]
    assert all(len(package["sha256"]) == 1 and not package["provided"] for package in own)
    assert str(wheelhouse) not in str(locks)


def test_dependencies_that_conflict_fail_in_the_resolvers_words_and_the_old_version_answers_on(
    client: Mixpeek, wheelhouse: Path, make_plugin: MakePlugin
) -> None:
    name = new_name()
    lexicon_wheel(wheelhouse, name, "1.0", axis=1, requires=("numpy<2",))
    publish(client, make_plugin("words"), deploy=True)
    conflicting = make_plugin("words", into="v2", **parts(name, name, "2.0.0"))

    status = deployed(client, publish(client, conflicting, version="2.0.0"))

    assert (status.status, status.phase) == ("FAILED", "building")
    assert f"{name} depend on numpy<2" in status.error
    assert "the platform itself needs numpy" in status.error
    assert "still answers" in status.message
    assert client.plugins.status("words_1_0_0").status == "DEPLOYED"
    assert client.plugins.realtime_test("words_1_0_0", {"text": "hello"}).status == "success"


def test_a_package_that_nobody_has_is_published_and_fails_the_rollout_by_name(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin = make_plugin("words", manifest="dependencies = ['no-such-package-here']")

    status = deployed(client, publish(client, plugin))

    assert (status.status, status.phase) == ("FAILED", "building")
    assert "There is no package `no-such-package-here` here; check how it is spelt" in status.error


def test_a_batch_builds_the_environment_of_a_version_deployed_for_batches_only(
    client: Mixpeek, wheelhouse: Path, make_plugin: MakePlugin
) -> None:
    name = new_name()
    lexicon_wheel(wheelhouse, name, "1.0", axis=3)
    plugin_id = publish(client, make_plugin("lexical", **parts(name, name, "1.0.0")))
    client.plugins.deploy(plugin_id, batch_only=True)
    collection = collection_of(client, bucket_with(client, ["one"]), "lexical")

    task = run_batch(client, collection)

    assert task.status == "COMPLETED"
    assert f"{name} 1.0" in task["additional_data"]["environments"][plugin_id]
    assert axes_of_documents(client, collection) == {3}


def test_a_batch_whose_package_comes_as_source_only_fails_and_names_it(
    client: Mixpeek, wheelhouse: Path, make_plugin: MakePlugin
) -> None:
    name = new_name()
    (wheelhouse / f"{name}-1.0.tar.gz").write_bytes(b"never opened")
    plugin_id = publish(client, make_plugin("raw_words", **parts(name, name, "1.0.0")))
    client.plugins.deploy(plugin_id, batch_only=True)

    task = run_batch(client, collection_of(client, bucket_with(client, ["one"]), "raw_words"))

    assert task.status == "FAILED"
    assert task.error.startswith("DependenciesRefused: The dependencies cannot be installed")
    assert f"{name} comes as source only" in task.error


def test_a_manifest_that_itself_imports_a_declared_package_is_refused_with_what_to_do(
    client: Mixpeek, wheelhouse: Path, make_plugin: MakePlugin
) -> None:
    name = new_name()
    plugin = make_plugin("words", manifest=f"import {name}\ndependencies = [{name!r}]")

    with pytest.raises(ApiError) as refused:
        client.plugins.upload(plugin, version="1.0.0")

    finding = refused.value.details["validation_errors"][0]
    assert (finding["rule"], finding["severity"]) == ("manifest.cannot_be_read", "error")
    assert "before" in finding["hint"] and "installed" in finding["hint"]


class SlowIndex(ThreadingHTTPServer):
    """A package index of one wheel that answers only once `released` is set, and notes who asks."""

    def __init__(self, wheel: Path) -> None:
        self.wheel = wheel
        self.asked = threading.Semaphore(0)
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _IndexRequest)

    @property
    def url(self) -> str:
        return f"http://someone:hunter2@127.0.0.1:{self.server_port}/simple"


class _IndexRequest(BaseHTTPRequestHandler):
    server: SlowIndex

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.release()
        self.server.released.wait(60)
        is_page = self.path.endswith("/")
        page = f'<a href="/files/{self.server.wheel.name}">{self.server.wheel.name}</a>'.encode()
        body = page if is_page else self.server.wheel.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body if self.command == "GET" else b"")
        except (BrokenPipeError, ConnectionResetError):
            return  # whoever asked was killed meanwhile

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def slow_index(tmp_path: Path) -> Iterator[SlowIndex]:
    with SlowIndex(lexicon_wheel(tmp_path, "slowlex", "1.0", axis=4)) as index:
        thread = threading.Thread(target=index.serve_forever, args=(0.02,))
        thread.start()
        yield index
        index.released.set()
        index.shutdown()
        thread.join()


def test_a_rollout_goes_on_after_the_worker_was_killed_in_the_middle_of_a_build(
    make_server: MakeServer, slow_index: SlowIndex, make_plugin: MakePlugin
) -> None:
    server = make_server(index_url=slow_index.url).start()
    with server.client() as client:
        plugin_id = publish(client, make_plugin("slow_words", **parts("slowlex", "slowlex", "1.0.0")))
        client.plugins.deploy(plugin_id)
        assert slow_index.asked.acquire(timeout=30)
        during = client.plugins.status(plugin_id)
        worker = server.child_pid("worker")
        assert worker is not None

        os.kill(worker, signal.SIGKILL)
        assert slow_index.asked.acquire(timeout=30), "the restarted worker builds again"
        slow_index.released.set()
        status = client.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)

        assert (during.status, during.phase) == ("PENDING", "building")
        assert status.status == "DEPLOYED", status.error
        assert axis_of_answer(client, plugin_id) == 4
        until(
            lambda: not list((server.data_dir / "environments").glob(".building-*")), what="nothing unfinished is left"
        )
        assert "hunter2" not in server.log.read_text()
        assert "hunter2" not in str(client.plugins.get(plugin_id))
