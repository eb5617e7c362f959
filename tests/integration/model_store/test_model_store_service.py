"""The model store on a real database: confirming, quotas, filling for a plugin version, clearing what is not used."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.hub import COMMIT, FakeHub, running_hub
from factories.minilm import tar_of
from factories.weights import onnx, safetensors, torch_zip
from mixpeek.db.pool import Database
from mixpeek.model_store.cache import ModelCache
from mixpeek.model_store.errors import HubUnavailable, ModelChanged, ModelExists, ModelNotFound, ModelRejected
from mixpeek.model_store.hub import Hub
from mixpeek.model_store.retention import clear_models
from mixpeek.model_store.service import ModelStore, UploadUnusable
from mixpeek.objects.store import ObjectStore
from mixpeek.tenancy.models import Namespace
from mixpeek.tenancy.quotas import QuotaExceeded
from mixpeek.tenancy.service import bootstrap, create_namespace

MakeStore = Callable[..., ModelStore]


@pytest.fixture
def namespace(database: Database) -> Namespace:
    with database.transaction() as connection:
        organization_id = bootstrap(connection, "sk_test_models")
        fields = {"namespace_name": f"models_{secrets.token_hex(4)}", "namespace_type": "standard", "description": None}
        return create_namespace(
            connection,
            organization_id,
            {**fields, "feature_extractors": [], "payload_indexes": [], "auto_create_indexes": False},
        )


@pytest.fixture
def make_store(database: Database, tmp_path: Path) -> MakeStore:
    """A store in a folder of its own; made again it has the same files."""

    def make(hub: Hub | None = None, *, max_models: int = 0, max_bytes: int = 10_000_000) -> ModelStore:
        objects = ObjectStore(None, tmp_path / "objects")
        return ModelStore(database, objects, ModelCache(tmp_path / "models"), hub, max_bytes, max_models)

    return make


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub({"org/a": {"config.json": b"{}", "model.onnx": onnx()}}) as running:
        yield running


def uploaded(store: ModelStore, namespace: Namespace, content: bytes, form: str = "onnx", name: str = "net") -> str:
    fields = {"name": name, "version": "1.0.0", "model_format": form, "declared": {}, "expiration_s": 60}
    upload = store.request_upload(namespace, fields)
    store.objects.put(upload.object_key, [content], limit_bytes=10_000_000)
    return upload.upload_id


def confirm(store: ModelStore, namespace: Namespace, upload_id: str, **more: Any) -> dict[str, Any]:
    return store.confirm(namespace, upload_id, **{"etag": None, "size_bytes": None, "actor": "test", **more})


def version_of(database: Database, namespace: Namespace, *, live: bool = False) -> str:
    """Record a published plugin version, live if so wanted, and return its id."""
    plugin_id = f"words_{secrets.token_hex(3)}_1_0_0"
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO plugin_versions (namespace_id, plugin_id, name, version, version_key, code_hash, package,"
            " archive_sha256, archive_key, size_bytes, files, manifest)"
            " VALUES (%s, %s, %s, '1.0.0', '{1,0,0}', 'x', 'x', 'x', 'x', 1, '[]', '{}')",
            [namespace.namespace_id, plugin_id, plugin_id[:-6]],
        )
        if live:
            deployment_id = f"dep_{secrets.token_hex(4)}"
            connection.execute(
                "INSERT INTO deployments (deployment_id, namespace_id, plugin_id, name, deployment_type, status, phase)"
                " VALUES (%s, %s, %s, %s, 'realtime', 'DEPLOYED', 'live')",
                [deployment_id, namespace.namespace_id, plugin_id, plugin_id[:-6]],
            )
            connection.execute(
                "INSERT INTO live_deployments (namespace_id, name, plugin_id, deployment_id) VALUES (%s, %s, %s, %s)",
                [namespace.namespace_id, plugin_id[:-6], plugin_id, deployment_id],
            )
    return plugin_id


@pytest.mark.parametrize(
    ("form", "content", "file"),
    [
        ("onnx", onnx(), "model.onnx"),
        ("safetensors", safetensors(), "model.safetensors"),
        ("pytorch", torch_zip(), "model.pt"),
        ("pytorch", tar_of({"net/weights.pth": torch_zip()}), "weights.pth"),
        ("onnx", tar_of({"deep.onnx": onnx()}, mode="w"), "deep.onnx"),
    ],
    ids=["onnx alone", "safetensors alone", "pytorch alone", "pytorch in tar.gz", "onnx in tar"],
)
def test_weights_are_taken_alone_or_in_an_archive(
    make_store: MakeStore, namespace: Namespace, form: str, content: bytes, file: str
) -> None:
    store = make_store()
    upload_id = uploaded(store, namespace, content, form)

    first = confirm(store, namespace, upload_id, size_bytes=len(content))
    again = confirm(store, namespace, upload_id)
    store.deploy(namespace.namespace_id, "net_1_0_0")
    (mount,) = store.fill(namespace.namespace_id, "none_1_0_0", [])

    assert again == first
    assert first["model_id"] == "net_1_0_0"
    assert (mount.key, mount.format) == ("namespace:net_1_0_0", form)
    assert [path.name for path in mount.path.iterdir()] == [file]
    assert store.objects.list("model-uploads/") == []


def test_what_arrived_differently_or_not_at_all_is_not_confirmed(make_store: MakeStore, namespace: Namespace) -> None:
    store = make_store()
    upload_id = uploaded(store, namespace, onnx())

    for claim in ({"size_bytes": 1}, {"etag": "0" * 64}):
        with pytest.raises(UploadUnusable):
            confirm(store, namespace, upload_id, **claim)
    with pytest.raises(ModelRejected, match="no ONNX model"):
        confirm(store, namespace, uploaded(store, namespace, b"\x08\x01", name="bad"))
    with pytest.raises(ModelRejected, match="link"):
        confirm(store, namespace, uploaded(store, namespace, _with_link(), name="linked"))
    fields = {"name": "late", "version": "1.0.0", "model_format": "onnx", "declared": {}, "expiration_s": 60}
    with pytest.raises(UploadUnusable, match="Nothing was uploaded"):
        confirm(store, namespace, store.request_upload(namespace, fields).upload_id)

    assert list(store.cache.root.glob("[!.]*")) == []
    assert list((store.cache.root / ".filling").iterdir()) == []


def test_an_id_is_taken_once_and_models_are_counted(make_store: MakeStore, namespace: Namespace) -> None:
    store = make_store(max_models=1)
    early, late = uploaded(store, namespace, onnx()), uploaded(store, namespace, onnx())
    other = uploaded(store, namespace, onnx(), name="other")
    confirm(store, namespace, early)

    with pytest.raises(ModelExists):
        confirm(store, namespace, late)
    with pytest.raises(QuotaExceeded, match="1 models"):
        confirm(store, namespace, other)
    with pytest.raises(ModelExists):
        uploaded(store, namespace, onnx())


def test_a_cache_that_was_lost_is_filled_again(make_store: MakeStore, namespace: Namespace) -> None:
    store = make_store()
    confirm(store, namespace, uploaded(store, namespace, tar_of({"a.onnx": onnx(), "b.txt": b"b"})))
    store.deploy(namespace.namespace_id, "net_1_0_0")
    shutil.rmtree(store.cache.root)

    (mount,) = store.fill(namespace.namespace_id, "none_1_0_0", ["namespace://net_1_0_0"])

    assert sorted(path.name for path in mount.path.iterdir()) == ["a.onnx", "b.txt"]


def test_an_archive_that_the_object_store_altered_is_noticed(make_store: MakeStore, namespace: Namespace) -> None:
    store = make_store()
    confirm(store, namespace, uploaded(store, namespace, onnx()))
    shutil.rmtree(store.cache.root)
    ((key, _),) = store.objects.list("model-archives/")
    store.objects.put(key, [onnx(b"\x12\x00")], limit_bytes=1000)

    with pytest.raises(ModelChanged, match="net_1_0_0"):
        store.deploy(namespace.namespace_id, "net_1_0_0")


def test_a_version_keeps_the_commit_it_was_first_filled_with(
    make_store: MakeStore, namespace: Namespace, database: Database, hub: FakeHub
) -> None:
    store = make_store(Hub(hub.url, None, 1_000_000))
    plugin_id = version_of(database, namespace)
    (first,) = store.fill(namespace.namespace_id, plugin_id, ["org/a"])
    hub.requests.clear()

    assert store.fill(namespace.namespace_id, plugin_id, ["org/a"]) == (first,)
    assert hub.requests == []
    shutil.rmtree(store.cache.root)
    assert store.fill(namespace.namespace_id, plugin_id, ["org/a"]) == (first,)
    assert hub.requests[0][0] == f"/api/models/org/a/revision/{COMMIT}"
    shutil.rmtree(store.cache.root)
    hub.models["org/a"]["config.json"] = b'{"changed": 1}'
    with pytest.raises(ModelChanged, match="other files"):
        store.fill(namespace.namespace_id, plugin_id, ["org/a"])
    with pytest.raises(HubUnavailable, match="mixpeek model pull org/b"):
        make_store().fill(namespace.namespace_id, plugin_id, ["org/b"])
    with pytest.raises(ModelNotFound, match="upload it first"):
        store.fill(namespace.namespace_id, plugin_id, ["namespace://gone_1_0_0"])


def test_retention_clears_what_nothing_uses(
    make_store: MakeStore, namespace: Namespace, database: Database, hub: FakeHub
) -> None:
    hub.models["org/b"] = {"config.json": b'{"b": 1}', "model.onnx": onnx()}
    store = make_store(Hub(hub.url, None, 1_000_000))
    (live,) = store.fill(namespace.namespace_id, version_of(database, namespace, live=True), ["org/a"])
    (unused,) = store.fill(namespace.namespace_id, version_of(database, namespace), ["org/b"])
    for name, variant in (("kept", b"\x12\x00"), ("gone", b"\x12\x00\x12\x00")):
        confirm(store, namespace, uploaded(store, namespace, onnx(variant), name=name))
    store.deploy(namespace.namespace_id, "kept_1_0_0")
    store.delete(namespace.namespace_id, "gone_1_0_0")
    uploaded(store, namespace, onnx(), name="abandoned")
    with database.transaction() as connection:
        connection.execute("UPDATE model_uploads SET expires_at = now() - interval '2 hours' WHERE state = 'requested'")
    for path in (*store.cache.root.glob("[!.]*"), *(store.cache.root.parent / "objects").rglob("*")):
        os.utime(path, (0, 0))

    uploads, archives, cached = clear_models(store, days=1)

    assert (uploads, archives, cached) == (1, 1, 2)
    assert live.path.is_dir()
    assert not unused.path.exists()
    assert [mount.key for mount in store.fill(namespace.namespace_id, "none_1_0_0", [])] == ["namespace:kept_1_0_0"]
    assert clear_models(store, days=1) == (0, 0, 0)


def _with_link() -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("model.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()
