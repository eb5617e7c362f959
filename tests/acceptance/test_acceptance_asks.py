"""Plugins on a running server ask for assets, secrets and a language model, in realtime and in a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.commands import Command
from factories.platform import all_documents, bucket_with, collection_of, publish, run_batch, unique
from factories.plugins import write_plugin
from factories.servers import Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.objects.assets import asset_key, asset_url
from mixpeek.objects.store import ObjectStore

CONTENT = b"the bytes of a picture " * 60_000  # more than one piece
LENGTH_OF = """
    import hashlib
    from shared.plugins import open_asset


    def digest(url):
        with open_asset(url) as asset:
            return hashlib.sha256(asset.read()).hexdigest()
"""
REALTIME = """
    from .assets import digest
    from .embedding import embed
    from shared.plugins.sdk import concurrent_api_calls


    class RealtimeHandler:
        def __init__(self, container):
            self.asks = {
                "asset": digest,
                "secret": lambda name: concurrent_api_calls(container.secrets.get, [name])[0],
                "model": lambda prompt: concurrent_api_calls(container.llm.generate, [prompt])[0],
            }

        def predict(self, request):
            try:
                said = self.asks[request.get("ask", "model")](request.get("for", "hello"))
            except (OSError, LookupError, RuntimeError) as error:
                said = f"{type(error).__name__}: {error}"
            print("it said", said, flush=True)
            return {"embedding": embed("x").tolist(), "said": said}
"""
BATCH = """
    from ..assets import digest

    batch[FEATURE] = column_of(batch['data'])
    batch['digest'] = [digest(url) for url in batch['data']]
"""


def asset_in(server: Server, namespace_id: str) -> str:
    """Store an asset of a namespace as an uploaded blob is stored, and return its address."""
    key = asset_key(namespace_id, hashlib.sha256(CONTENT).hexdigest(), "picture.png")
    ObjectStore(None, server.data_dir / "objects").put(key, [CONTENT], limit_bytes=len(CONTENT))
    return asset_url(key)


@pytest.fixture(scope="module")
def asker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    """A client whose namespace has the plugin `asker` deployed."""
    folder = write_plugin(
        tmp_path_factory.mktemp("asker") / "asker",
        batch=BATCH,
        files={"assets.py": LENGTH_OF, "realtime.py": REALTIME},
    )
    with server.client() as client:
        publish(client, folder, deploy=True)
        yield client


def ask(asker: Mixpeek, what: str, for_: str) -> str:
    answer = asker.plugins.realtime_test("asker_1_0_0", {"ask": what, "for": for_})
    assert answer.status == "success", answer
    said: str = answer["raw_response"]["said"]
    return said


def test_a_batch_reads_the_assets_of_its_namespace_and_records_why_it_could_not_read_the_others(
    server: Server, asker: Mixpeek
) -> None:
    own, foreign = asset_in(server, str(asker.namespace)), asset_in(server, "ns_of_somebody_else")
    vanished = own.replace(own.split("/")[-2], "0" * 64)
    collection = collection_of(asker, bucket_with(asker, [own, foreign, vanished]), "asker")

    task = run_batch(asker, collection)
    documents = all_documents(asker, collection)

    assert [(d["content"], d["digest"]) for d in documents] == [(own, hashlib.sha256(CONTENT).hexdigest())]
    assert "AssetUnavailable: s3://mixpeek/namespaces/" in str(task.error)


def test_realtime_reads_an_asset_of_its_namespace_and_of_no_other(server: Server, asker: Mixpeek) -> None:
    own, foreign = asset_in(server, str(asker.namespace)), asset_in(server, "ns_of_somebody_else")

    assert ask(asker, "asset", own) == hashlib.sha256(CONTENT).hexdigest()
    assert ask(asker, "asset", foreign) == (
        f"AssetUnavailable: {foreign} cannot be opened: it is no asset of {asker.namespace},"
        " the namespace that this plugin works for"
    )


def test_a_secret_is_read_while_it_is_granted_and_never_kept_in_the_log(asker: Mixpeek) -> None:
    name, value = unique("KEY"), "sesame-open-0f3a"
    asker.secrets.create(name, value, namespaces=[])
    try:
        refused = ask(asker, "secret", name)
        asker.secrets.grant(name, str(asker.namespace))
        granted = ask(asker, "secret", name)
        asker.secrets.revoke(name, str(asker.namespace))
        revoked = ask(asker, "secret", name)
    finally:
        asker.secrets.delete(name)

    def kept() -> list[str]:
        lines = [line["message"] for line in asker.plugins.logs("asker_1_0_0", limit=500)["results"]]
        return lines if "it said ***" in lines else []

    lines = until(kept, what="the log is written")

    assert refused == revoked
    assert "it said ***" in lines
    assert not any(value in line for line in lines)
    assert f"`mixpeek secret grant {name} {asker.namespace}`" in refused
    assert granted == value


def test_without_a_language_model_a_plugin_is_told_which_setting_makes_one(asker: Mixpeek) -> None:
    assert "LlmUnavailable: no language model is configured. An operator sets MIXPEEK_LLM_URL" in ask(
        asker, "model", "hello"
    )


def test_the_same_plugin_is_tried_on_files_and_variables_of_an_authors_machine(mix: Command, tmp_path: Path) -> None:
    pipeline = """
        from .processors.core import Processor

        async def build_steps(extractor_request, container=None, **kwargs):
            key = await container.secrets.get("KEY")

            def note(batch):
                batch["key"] = key.upper()
                return batch

            return {"steps": [Processor(None), note]}
    """
    files = {"assets.py": LENGTH_OF, "pipeline.py": pipeline}
    folder = write_plugin(tmp_path / "asker", batch=BATCH, realtime=False, files=files)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.png").write_bytes(CONTENT)
    (tmp_path / "rows" / "samples.json").write_text('[{"data": "a.png"}]')

    tried = mix(
        "plugin", "test", "-s", tmp_path / "rows" / "samples.json", "--json", cwd=folder, MIXPEEK_SECRET_KEY="a"
    )

    row = tried.json["samples"]["first_row"]
    assert row["key"] == "'A'"
    assert row["digest"].strip("'…") in hashlib.sha256(CONTENT).hexdigest()
