"""The documented quick start with the installed command, not one file edited on the way."""

from __future__ import annotations

from pathlib import Path

from factories.commands import Command
from factories.platform import bucket_with, collection_of, run_batch, search
from factories.plugins import MakePlugin
from mixpeek import Mixpeek

TEXTS = ["Quicksort partitions a list", "How to water tomatoes in summer", "My cat sleeps all day"]


def test_what_init_writes_goes_through_test_and_publish_to_search(
    mix: Command, client: Mixpeek, tmp_path: Path
) -> None:
    created = mix("plugin", "init", "my_extractor", "--category", "text")
    tested = mix("plugin", "test", cwd=tmp_path / "my_extractor")
    published = mix("plugin", "publish", "--namespace", client.namespace or "", cwd=tmp_path / "my_extractor")
    listed = mix("plugin", "list", "--source", "custom")

    collection = collection_of(client, bucket_with(client, TEXTS), "my_extractor")
    task = run_batch(client, collection)
    found = search(client, collection, "an algorithm that orders numbers")

    for ran in (created, tested, published, listed):
        assert ran.code == 0, ran.out + ran.err
    assert "my_extractor" in listed.out
    assert client.plugins.status("my_extractor_1_0_0").status == "DEPLOYED"
    assert task.status == "COMPLETED", task.error
    assert found[0]["content"] == TEXTS[0]


def test_publishing_the_same_content_again_is_no_error_and_makes_no_second_version(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    folder = make_plugin()
    first = mix("plugin", "publish", "--path", folder)

    again = mix("plugin", "publish", "--path", folder)
    (folder / "notes.txt").write_text("changed")
    changed = mix("plugin", "publish", "--path", folder)
    bumped = mix("plugin", "publish", "--path", folder, "--bump")

    assert first.code == 0, first.err
    assert again.code == 0, again.err
    assert changed.code == 1
    assert "--bump" in changed.err
    assert bumped.code == 0, bumped.err
    assert {plugin["version"] for plugin in client.plugins.list()["plugins"]} == {"1.0.0", "1.0.1"}
