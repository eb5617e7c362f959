"""Models through a real server: uploaded and deployed, or fetched from a hub, and loaded by plugins in their hosts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import httpx
import numpy as np
import pytest

from factories.answers import refusal
from factories.commands import Command, run_command
from factories.hub import FakeHub, running_hub
from factories.minilm import EMBED, expected_vector, minilm_files, tar_of
from factories.platform import deployed, publish
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.client import ApiError

TEXT = "a small dog sleeps in the sun"
NAMESPACE_HANDLER = f"""
from engine.models import load_namespace_model, model_path
from tokenizers import Tokenizer
session = load_namespace_model("minilm_1_0_0")
tokenizer = Tokenizer.from_file(str(model_path("minilm_1_0_0") / "tokenizer.json"))
{EMBED}
"""
HUB_REALTIME = f"""
import os
from engine.models.lazy import LazyModelMixin


class RealtimeHandler(LazyModelMixin):
    model_id = "org/minilm"

    def predict(self, request):
        session, tokenizer = self.get_model()
        answer = self.embed(request, session, tokenizer)
        return {{**answer, "seen": sorted(os.listdir("/models"))}}

    def embed(self, request, session, tokenizer):
{indent(EMBED, " " * 8)}
"""


def minilm_plugin(make_plugin: MakePlugin, predict: str = NAMESPACE_HANDLER, **parts: Any) -> Path:
    return make_plugin("minilm_words", dimension=384, predict=predict, **parts)


def ask(client: Mixpeek, plugin_id: str) -> Any:
    return client.plugins.realtime_test(plugin_id, {"text": TEXT})


def store_minilm(client: Mixpeek) -> str:
    files = {f"minilm/{path}": content for path, content in minilm_files().items()}
    stored = client.models.upload(tar_of(files, mode="w"), name="minilm", version="1.0.0", model_format="onnx")
    return str(stored.model_id)


def test_a_plugin_embeds_with_an_uploaded_model_that_it_loads_lazily(client: Mixpeek, make_plugin: MakePlugin) -> None:
    model_id = store_minilm(client)
    before = client.models.get(model_id).model

    done = client.models.deploy(model_id)
    status = deployed(client, publish(client, minilm_plugin(make_plugin)))
    answer = ask(client, "minilm_words_1_0_0")

    assert (model_id, before["deployed"]) == ("minilm_1_0_0", False)
    assert (done.deployment_status, done.cached) == ("deployed", True)
    assert status.status == "DEPLOYED", status
    assert answer.status == "success", answer
    np.testing.assert_allclose(answer.raw_response["embedding"], expected_vector(TEXT), atol=1e-5)


def test_a_namespace_sees_only_its_own_models(server: Server, client: Mixpeek, make_plugin: MakePlugin) -> None:
    model_id = store_minilm(client)
    client.models.deploy(model_id)
    with server.client() as other:
        status = deployed(other, publish(other, minilm_plugin(make_plugin)))

        assert other.models.list().total == 0
        for verb, path in (("GET", ""), ("POST", "/deploy"), ("DELETE", "")):
            url = f"{server.url}/v1/namespaces/{other.namespace}/models/{model_id}{path}"
            answer = httpx.request(verb, url, headers={"Authorization": f"Bearer {API_KEY}"})
            refusal(answer, 404, "NotFoundError")
    assert status.status == "FAILED"
    assert "deploy the model" in status.error


def test_a_model_is_refused_with_findings_and_its_id_is_taken_once(client: Mixpeek) -> None:
    with pytest.raises(ApiError, match="and 1 more") as refused:
        client.models.upload(
            tar_of({"config.json": b"{}", "pytorch_model.bin": b"x"}),
            name="broken",
            version="1.0.0",
            model_format="huggingface",
        )
    assert {finding["rule"] for finding in refused.value.details["validation_errors"]} == {
        "model.file_type",
        "model.no_weights",
    }
    store_minilm(client)
    with pytest.raises(ApiError, match="exists already") as taken:
        store_minilm(client)
    assert taken.value.status == 409

    assert [model["model_id"] for model in client.models.list()["models"]] == ["minilm_1_0_0"]


def test_a_model_in_use_is_kept_and_a_deleted_one_keeps_its_id(
    server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    model_id = store_minilm(client)
    plugin = minilm_plugin(make_plugin, manifest='models = ["namespace://minilm_1_0_0"]')
    status = deployed(client, publish(client, plugin))

    with pytest.raises(ApiError, match="minilm_words_1_0_0") as refused:
        client.models.delete(model_id)
    client.plugins.undeploy("minilm_words_1_0_0")
    client.models.delete(model_id)

    assert status.status == "DEPLOYED", status
    assert [entry["phase"] for entry in status.timeline][:3] == ["building", "models", "gate"]
    assert refused.value.status == 409
    assert client.models.list().total == 0
    with pytest.raises(ApiError) as gone:
        client.models.get(model_id)
    assert gone.value.status == 404
    with pytest.raises(ApiError, match="or did"):
        store_minilm(client)
    log = httpx.get(
        f"{server.url}/v1/organizations/audit/logs",
        params={"resource_type": "model", "namespace_id": client.namespace or "", "status": "success"},
        headers={"Authorization": f"Bearer {API_KEY}"},
    ).json()
    assert [event["action"] for event in log["results"]] == ["delete", "publish"]


def test_a_model_is_uploaded_deployed_listed_and_deleted_by_command(mix: Command, tmp_path: Path) -> None:
    folder = tmp_path / "minilm"
    folder.mkdir()
    for path, content in minilm_files().items():
        (folder / path).write_bytes(content)
    upload = ("model", "upload", folder, "--name", "by_hand", "--version", "2.0.0", "--format", "onnx", "--deploy")

    stored = mix(*upload)
    listed = mix("model", "list", "--json")
    deleted = mix("model", "delete", "by_hand_2_0_0")

    assert (stored.code, stored.out.strip()) == (0, "by_hand_2_0_0"), stored.err
    assert [(row["model_id"], row["deployed"]) for row in listed.json["models"]] == [("by_hand_2_0_0", True)]
    assert deleted.code == 0, deleted.err


def test_the_multipart_form_of_the_documentation_stores_a_model(server: Server, client: Mixpeek) -> None:
    form = {"name": "my-model", "version": "1.0.0", "model_format": "onnx", "num_gpus": "0", "memory_gb": "0.5"}
    files = {"file": ("m.tar.gz", tar_of(minilm_files()), "application/gzip")}
    url, headers = f"{server.url}/v1/namespaces/{client.namespace}/models", {"Authorization": f"Bearer {API_KEY}"}

    stored = httpx.post(url, headers=headers, data=form, files=files, timeout=60)
    misspelt = httpx.post(url, headers=headers, data={**form, "framwork": "x"}, files=files, timeout=60)

    assert stored.status_code == 200, stored.text
    assert stored.json()["model_id"] == "my-model_1_0_0"
    found = client.models.get("my-model_1_0_0").model
    assert found["resource_requirements"] == {"num_cpus": 1.0, "num_gpus": 0, "memory": 512 * 1024**2}
    refusal(misspelt, 422, "ValidationError")


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with running_hub({"org/minilm": minilm_files()}) as running:
        yield running


@pytest.fixture(scope="module")
def hub_server(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose hub is ours."""
    running = Server(tmp_path_factory.mktemp("hub") / "data", {"MIXPEEK_HUB_URL": hub.url})
    try:
        yield running.start()
        assert running.stop() == 0
    finally:
        running.discard()


def hub_plugin(make_plugin: MakePlugin, reference: str = "org/minilm", **parts: Any) -> Path:
    return make_plugin(
        "minilm_words",
        dimension=384,
        manifest=f"models = [{reference!r}]",
        files={"realtime.py": HUB_REALTIME},
        **parts,
    )


def test_a_hub_model_is_fetched_once_survives_a_kill_and_a_failed_fetch_leaves_the_old_version(
    hub: FakeHub, hub_server: Server, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    with hub_server.client() as client:
        plugin_id = publish(client, hub_plugin(make_plugin))
        hub.released.clear()
        client.plugins.deploy(plugin_id)
        assert hub.reached.wait(30)
        until(
            lambda: any(part.stat().st_size for part in hub_server.data_dir.rglob("model.onnx.part")),
            what="the first bytes are on the disk",
        )
        killed = hub_server.child_pid("worker")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        hub.released.set()
        status = client.plugins.wait(plugin_id, timeout_s=60, poll_s=0.1)
        answer = ask(client, plugin_id)

        assert status.status == "DEPLOYED", status
        assert answer.status == "success", answer
        np.testing.assert_allclose(answer.raw_response["embedding"], expected_vector(TEXT), atol=1e-5)
        fetched = [value for path, value in hub.requests if path.endswith("/model.onnx")]
        # The worker after the killed one goes on where that one stopped.
        assert fetched[0] is None
        assert len(fetched) == 2
        assert fetched[1].startswith("bytes=")

        asked = len(hub.requests)
        deployed(client, plugin_id)
        assert hub.requests[asked:] == []  # pinned to its commit, and cached

        newer = hub_plugin(make_plugin, "org/unknown", version="2.0.0", into="newer")
        failed = deployed(client, publish(client, newer, version="2.0.0"))
        assert (failed.status, failed.phase) == ("FAILED", "models")
        assert "The hub has no model org/unknown at main" in failed.error
        assert ask(client, plugin_id).status == "success"

        folder = tmp_path / "files"
        folder.mkdir()
        for path, content in minilm_files().items():
            (folder / path).write_bytes(content)
        place = ("--data-dir", hub_server.data_dir)
        pulled = run_command("model", "pull", "org/unknown", "--from", folder, *place, cwd=tmp_path)
        assert pulled.code == 0, pulled.err
        # The handler of that version asks for a model that its manifest does not declare.
        again = deployed(client, "minilm_words_2_0_0")
        assert (again.status, again.phase) == ("FAILED", "gate")
        assert "add `models = ['org/minilm']`" in again.error
        assert len(ask(client, plugin_id).raw_response["seen"]) == 1
