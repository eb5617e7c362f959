"""How-to pages and README.md, each executed in order in one shell, and the output shown there compared."""

from __future__ import annotations

from pathlib import Path

from factories.pages import DOCS, run_page
from factories.platform import bucket_with, publish
from factories.plugins import MakePlugin
from factories.servers import Server
from mixpeek import Mixpeek

HOWTO = DOCS / "howto"
# What the page on chains shows, as the processor of a plugin.
SPLIT = """
batch = batch.to_dict("records")
import pandas as pd
batch = pd.DataFrame([
    {"document_id": row["document_id"], "page": page, "number": number, FEATURE: column_of([page])[0]}
    for row in batch for number, page in enumerate(row["text"].split("\\f"), start=1)
])
"""
PAGES = """
explodes = True
output_schema = {"type": "object", "properties": {"page": {"type": "string"}, "number": {"type": "integer"}}}
"""


def test_the_readme_does_what_it_says(server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path) -> None:
    publish(client, make_plugin("my_extractor"))

    printed = run_page(DOCS.parent / "README.md", server, client, tmp_path)

    assert "Read rows from a csv file" in printed


def test_the_page_on_checks(server: Server, client: Mixpeek, make_plugin: MakePlugin) -> None:
    printed = run_page(HOWTO / "check-a-plugin.md", server, client, make_plugin("my_extractor"))

    assert "SEQ001" in printed


def test_the_page_on_objects(server: Server, client: Mixpeek, tmp_path: Path) -> None:
    run_page(HOWTO / "put-objects-into-a-bucket.md", server, client, tmp_path)

    books = client.objects.list("books").results
    assert [book["blobs"][-1]["properties"] for book in books] == [{"width": 1, "height": 1}] * 2


def test_the_page_on_filters(server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path) -> None:
    publish(client, make_plugin("my_extractor"))
    bucket_id = bucket_with(client, ["none"])
    client.collections.create(
        "articles", {"type": "bucket", "bucket_ids": [bucket_id]}, {"feature_extractor_name": "my_extractor"}
    )
    for title, year in (("On impressionism", 2021), ("Impressionism again", 2021), ("Older impressionism", 2019)):
        client.documents.create("articles", topic="art", title=title, year=year)

    found, counted = run_page(HOWTO / "filter-documents.md", server, client, tmp_path).split("::end of block::\n")[:2]

    assert "Impressionism again" in found
    assert "Older" not in found
    assert '"n":3,"mean_year":2020.3' in counted.replace(" ", "")


def test_the_page_on_batches(server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path) -> None:
    publish(client, make_plugin("my_extractor"))
    client.buckets.create("notes", {"properties": {"text": {"type": "text"}}})
    client.objects.create_batch("notes", [{"text": text} for text in ("one", "two", "three")])
    client.collections.create(
        "notes_by_meaning", {"type": "bucket", "bucket_ids": ["notes"]}, {"feature_extractor_name": "my_extractor"}
    )

    run_page(HOWTO / "run-a-batch.md", server, client, tmp_path)


def test_the_page_on_chains(server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path) -> None:
    publish(client, make_plugin("to_pages", batch=SPLIT, manifest=PAGES))
    client.buckets.create("files", {"properties": {"title": {"type": "string"}, "content": {"type": "text"}}})
    client.objects.create("files", title="Alpha", content="first page\fsecond page")

    run_page(HOWTO / "chain-collections.md", server, client, tmp_path)


def test_the_pages_on_a_plugin_at_work(
    server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    make_plugin("my_plugin", into=".")

    printed = run_page(HOWTO / "serve-in-realtime.md", server, client, tmp_path)

    assert '"code_hash"' in printed
    publish(client, make_plugin("text_embed"))
    run_page(HOWTO / "read-a-plugins-logs.md", server, client, tmp_path)


def test_the_pages_on_writing_a_plugin(server: Server, client: Mixpeek, tmp_path: Path) -> None:
    with server.client() as other:
        name = other.namespaces.update(other.namespace or "", namespace_name="other_namespace").namespace_name
        assert name == "other_namespace"
        try:
            run_page(HOWTO / "read-assets-and-secrets-in-a-plugin.md", server, client, tmp_path)
            granted = client.secrets.get("WEATHER_KEY")
        finally:
            client.secrets.delete("WEATHER_KEY")

    assert len(granted.namespaces) == 2
    run_page(HOWTO / "what-a-plugin-may-use.md", server, client, tmp_path)
    run_page(HOWTO / "watch-the-platform.md", server, client, tmp_path)
