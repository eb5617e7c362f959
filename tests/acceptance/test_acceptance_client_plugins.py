"""The SDK's plugin methods against a real server, from a direct upload to deleting it again."""

from __future__ import annotations

import pytest

from factories.platform import bucket_with, collection_of, deployed
from factories.plugins import MakePlugin
from mixpeek import Mixpeek
from mixpeek.client import ApiError
from mixpeek.inspection.archive import read_archive
from mixpeek.inspection.pack import pack_directory


def test_what_is_uploaded_directly_comes_back_as_source_and_as_archive(
    client: Mixpeek, make_plugin: MakePlugin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_plugin(files={"weights.bin": "\x00\x01"})

    uploaded = client.plugins.upload_direct(folder, version="1.0.0", message="direct")

    files = {file["path"]: file for file in client.plugins.source(uploaded.plugin_id)["files"]}
    unpacked = read_archive(client.plugins.source_archive(uploaded.plugin_id), tmp_path_factory.mktemp("source"))
    assert uploaded.plugin_id == "small_words_1_0_0"
    assert files["manifest.py"]["text"] == (folder / "manifest.py").read_text()
    assert files["weights.bin"]["text"] is None
    assert {file.path: file.sha256 for file in unpacked.files} == {path: file["sha256"] for path, file in files.items()}
    assert client.plugins.download_archive(uploaded.plugin_id) == pack_directory(folder)
    assert client.plugins.versions("small-words").versions[0]["message"] == "direct"


def test_what_a_namespace_could_index_is_planned_then_added(client: Mixpeek, make_plugin: MakePlugin) -> None:
    client.plugins.upload(make_plugin(), version="1.0.0")

    planned = client.plugins.reconfigure(dry_run=True)
    added = client.plugins.reconfigure()
    again = client.plugins.reconfigure()

    assert planned.vectors_added == added.vectors_added == ["mixpeek://small_words@1.0.0/words_vector"]
    assert again.status == "no_changes_needed"


def test_a_version_that_collections_use_is_deleted_only_by_force(client: Mixpeek, make_plugin: MakePlugin) -> None:
    plugin_id = client.plugins.upload(make_plugin(), version="1.0.0").plugin_id
    deployed(client, plugin_id)
    collection_of(client, bucket_with(client, ["one"]), "small_words")

    with pytest.raises(ApiError) as refused:
        client.plugins.delete(plugin_id)
    deleted = client.plugins.delete(plugin_id, force=True)

    assert refused.value.status == 409
    assert deleted.deployment_removed is True
    with pytest.raises(ApiError, match="small_words"):
        client.plugins.get(plugin_id)


def test_a_namespace_takes_a_shared_plugin_only_if_there_is_one(client: Mixpeek) -> None:
    with pytest.raises(ApiError) as missing:
        client.plugins.enable("nothing_1_0_0")

    assert missing.value.status == 404
    assert isinstance(client.plugins.available()["plugins"], list)
