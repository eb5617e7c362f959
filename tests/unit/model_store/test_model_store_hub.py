"""Fetching hub models into the cache, from a loopback hub that speaks the documented protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.hub import COMMIT, FakeHub, running_hub
from factories.weights import onnx, safetensors
from mixpeek.cli.local_models import list_local_models
from mixpeek.model_store import hub as hub_module
from mixpeek.model_store.cache import CachedModel, ModelCache
from mixpeek.model_store.errors import HubUnavailable, ModelNotFound, ModelRejected
from mixpeek.model_store.fetching import fetch, pull_from
from mixpeek.model_store.hub import Hub

LARGE = safetensors({"w": {"dtype": "U8", "shape": [3_000_000], "data_offsets": [0, 3_000_000]}}, bytes(3_000_000))
FILES = {"config.json": b"{}", "model.safetensors": LARGE, "code.py": b"evil", "pytorch_model.bin": b"evil"}


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with running_hub({"org/model": dict(FILES)}) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "models")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module.time, "sleep", lambda _: None)


def connect(fake: FakeHub, limit_bytes: int = 10_000_000) -> Hub:
    return Hub(fake.url, None, limit_bytes, timeout_s=10)


def test_safe_files_are_fetched_at_the_commit_and_the_rest_is_left(fake: FakeHub, cache: ModelCache) -> None:
    found = fetch(cache, connect(fake), "org/model", None)

    folder = cache.find(found.content_hash)
    assert found.revision == COMMIT
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


def test_a_model_is_not_fetched_twice_and_its_branch_is_known_without_the_hub(fake: FakeHub, cache: ModelCache) -> None:
    first = fetch(cache, connect(fake), "org/model", "main")
    fake.requests.clear()

    assert fetch(cache, connect(fake), "org/model", None) == first
    assert fetch(cache, None, "org/model", None) == first
    assert fetch(cache, None, "org/model", COMMIT) == first
    assert [path for path, _ in fake.requests] == ["/api/models/org/model/revision/main"]


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(fake: FakeHub, cache: ModelCache) -> None:
    fake.cut_after = [1_500_000, 500_000]

    fetch(cache, connect(fake), "org/model", None)

    ranges = [value or "bytes=0-" for path, value in fake.requests if path.endswith(".safetensors")]
    starts = [int(value.removeprefix("bytes=").rstrip("-")) for value in ranges]
    assert starts[0] == 0
    assert 1_300_000 < starts[1] <= 1_500_000
    assert starts[1] + 300_000 < starts[2] <= 2_000_000


def test_many_at_once_download_a_model_once(fake: FakeHub, cache: ModelCache) -> None:
    found: list[CachedModel] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(cache, connect(fake), "org/model", None))) for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({model.content_hash for model in found}) == 1
    assert len(found) == 6
    assert len([path for path, _ in fake.requests if path.endswith(".safetensors")]) == 1


def test_a_hub_that_sends_something_else_than_it_announced_is_not_believed(fake: FakeHub, cache: ModelCache) -> None:
    fake.claimed_sizes["config.json"] = 1
    with pytest.raises(HubUnavailable, match="more than the 1 bytes announced"):
        fetch(cache, connect(fake), "org/model", None)

    fake.claimed_sizes.clear()
    listing = fake.listing("org/model").replace(b'"blobId": "', b'"blobId": "0', 1)[:-1] + b"}"
    fake.listing = lambda name: listing  # type: ignore[method-assign]
    fake.models["org/model"]["config.json"] = b"[]"
    with pytest.raises(HubUnavailable, match=r"config.json of org/model did not arrive"):
        fetch(cache, connect(fake), "org/model", None)
    assert cache.recall("org/model", "main") is None


def test_a_model_over_the_cap_is_refused_before_anything_is_fetched(fake: FakeHub, cache: ModelCache) -> None:
    with pytest.raises(ModelNotFound, match="the limit is 1000"):
        fetch(cache, connect(fake, 1000), "org/model", None)

    assert len(fake.requests) == 1


def test_an_unknown_model_is_named(fake: FakeHub, cache: ModelCache) -> None:
    with pytest.raises(ModelNotFound, match="no model org/other at main"):
        fetch(cache, connect(fake), "org/other", None)


def test_names_that_leave_the_folder_are_left_at_the_hub(fake: FakeHub, cache: ModelCache) -> None:
    fake.models["org/model"] |= {"../up.json": b"x", "/root.json": b"x", "a/../b.json": b"x"}

    found = fetch(cache, connect(fake), "org/model", None)

    assert sorted(path.name for path in (cache.root / found.content_hash).rglob("*")) == [
        "config.json",
        "model.safetensors",
    ]


def test_damaged_weights_of_a_hub_are_refused(fake: FakeHub, cache: ModelCache) -> None:
    fake.models["org/model"] = {"model.onnx": b"not a model"}

    with pytest.raises(ModelRejected, match=r"model\.onnx"):
        fetch(cache, connect(fake), "org/model", None)


def test_without_a_hub_the_missing_model_and_the_command_are_named(cache: ModelCache) -> None:
    nowhere = Hub("http://127.0.0.1:9", None, 1000, timeout_s=1)

    for hub in (None, nowhere):
        with pytest.raises(HubUnavailable, match=r"mixpeek model pull org/model@v1 --from FOLDER"):
            fetch(cache, hub, "org/model", "v1")


def test_a_pulled_folder_stands_in_for_the_hub(cache: ModelCache, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.onnx").write_bytes(onnx())

    pulled = pull_from(cache, source, "org/mine", None)

    assert fetch(cache, None, "org/mine", None) == pulled
    assert fetch(cache, None, "org/mine", pulled.revision) == pulled
    (source / "evil.pkl").write_bytes(b"x")
    with pytest.raises(ModelRejected, match=r"evil\.pkl"):
        pull_from(cache, source, "org/mine", None)


def test_unused_models_are_cleared_and_used_ones_kept(cache: ModelCache, tmp_path: Path) -> None:
    hashes = []
    for name in ("kept", "used", "old"):
        source = tmp_path / name
        source.mkdir()
        (source / "config.json").write_text(f'"{name}"')
        hashes.append(pull_from(cache, source, f"org/{name}", None).content_hash)
    for content_hash in hashes:
        os.utime(cache.root / content_hash, (0, 0))
    assert cache.find(hashes[1]) is not None  # a host starts with it

    cleared = cache.clear({hashes[0]}, days=1)

    assert cleared == 1
    assert [cache.find(content_hash) is not None for content_hash in hashes] == [True, True, False]
    assert cache.recall("org/old", "main") is None


def test_a_plugin_under_test_gets_the_declared_models_that_were_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXPEEK_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "model.onnx").write_bytes(onnx())
    pull_from(ModelCache(tmp_path / "data" / "models"), tmp_path / "source", "org/mine", None)

    mounts = list_local_models(["org/mine", "org/other", "namespace://net_1_0_0"])

    assert [(mount.key, mount.format) for mount in mounts] == [("hub:org/mine", "huggingface")]
    assert [path.name for path in mounts[0].path.iterdir()] == ["model.onnx"]
