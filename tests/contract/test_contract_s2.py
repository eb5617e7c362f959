"""The documented sample plugin, kept byte for byte as it is printed, and what the documents promise of it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from factories.commands import Command
from factories.platform import deployed, publish, run_batch, search
from factories.plugins import EMBEDDING
from mixpeek import Mixpeek

SAMPLE = Path(__file__).parent / "s2_sample" / "my_extractor"
DOCUMENTED = {
    "manifest.py": "4818389245c204154c01a838beb4e0d75382732b3ff045dc133b828d55a67dde",
    "pipeline.py": "ccea774cd3f70b27705d3c08002356c5c3d06c4f02bbe5471ea9aceba66bf6b4",
    "processors/core.py": "cf71cb19ca0c3508a1bec391f15e954dafbee873ad35a8fb43f2e679d2de6c51",
    "realtime.py": "8c0f5db7de094d7df748b8f7b2153ea437202c7b22ff66b73ec42d443298697d",
}

# Stands in for the package of that name, which the sample imports lazily: the sample's own four files stay as they are.
SMALL_MODEL = (
    EMBEDDING
    + """

class SentenceTransformer:
    def __init__(self, name):
        self.name = name

    def encode(self, texts):
        return np.stack([embed(text, 384) for text in texts])
"""
)


def sample_with_a_small_model(into: Path) -> Path:
    folder = into / "my_extractor"
    shutil.copytree(SAMPLE, folder)
    (folder / "sentence_transformers.py").write_text(SMALL_MODEL.lstrip("\n"))
    return folder


def test_the_sample_is_the_documented_text_byte_for_byte() -> None:
    files = {path for path in SAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}

    digests = {path.relative_to(SAMPLE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digests == DOCUMENTED


def test_the_sample_passes_plugin_test_without_its_model_installed(mix: Command) -> None:
    tested = mix("plugin", "test", "--path", SAMPLE)

    assert tested.code == 0, tested.out + tested.err


def test_publish_dry_run_accepts_the_sample_and_uploads_nothing(mix: Command, client: Mixpeek) -> None:
    dry = mix("plugin", "publish", "--path", SAMPLE, "--dry-run")

    assert dry.code == 0, dry.out + dry.err
    assert client.plugins.list()["total"] == 0


def test_the_sample_is_confirmed_and_deploys_for_batches_without_its_model(client: Mixpeek) -> None:
    plugin_id = publish(client, SAMPLE)

    client.plugins.deploy(plugin_id, batch_only=True)
    status = client.plugins.status(plugin_id)

    assert plugin_id == "my_extractor_1_0_0"
    assert status.status == "NOT_DEPLOYED"
    assert status.error is None


def test_publish_batch_only_ends_with_exit_code_zero(mix: Command, client: Mixpeek) -> None:
    published = mix("plugin", "publish", "--path", SAMPLE, "--batch-only")

    assert published.code == 0, published.out + published.err
    assert client.plugins.get("my_extractor_1_0_0").plugin.active is True


def test_a_realtime_deploy_without_the_model_fails_naming_the_dependency_to_declare(client: Mixpeek) -> None:
    status = deployed(client, publish(client, SAMPLE))

    assert status.status == "FAILED"
    assert "sentence_transformers" in status.error
    assert "realtime.py" in status.error
    assert "dependencies" in status.error


def test_with_a_model_the_sample_goes_from_publish_to_search_as_documented(client: Mixpeek, tmp_path: Path) -> None:
    status = deployed(client, publish(client, sample_with_a_small_model(tmp_path)))
    bucket = client.buckets.create("texts", {"properties": {"text": {"type": "text", "required": True}}})
    texts = ["Quantum computing uses qubits", "The cat sat on the mat", "How to bake bread at home"]
    blobs = [{"blobs": [{"property": "text", "type": "text", "data": text}]} for text in texts]
    objects = client.objects.create_batch(bucket.bucket_id, blobs)["succeeded"]

    collection = client.collections.create(
        collection_name="my_collection",
        source={"type": "bucket", "bucket_ids": [bucket.bucket_id]},
        feature_extractor={
            "feature_extractor_name": "my_extractor",
            "version": "1.0.0",
            "parameters": {"threshold": 0.7}
        }
    )  # fmt: skip
    task = run_batch(client, collection)
    found = search(client, collection, "the cat on a mat")

    assert status.status == "DEPLOYED", status.error
    assert task.status == "COMPLETED", task.error
    assert collection["vector_indexes"][0]["feature_uri"] == "mixpeek://my_extractor@1.0.0/my_embedding"
    assert len(found) == len(texts)
    cat = next(o for o in objects if "cat" in o["blobs"][0]["data"])
    assert found[0]["_internal"]["lineage"]["root_object_id"] == cat["object_id"]
    assert found[0]["score"] > found[1]["score"]
