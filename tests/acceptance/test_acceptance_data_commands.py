"""Data from the command line and from the client that awaits, against a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pyarrow.parquet as pq

from factories.commands import Command
from factories.platform import publish, unique
from factories.plugins import FEATURE, MakePlugin
from factories.servers import API_KEY
from mixpeek import AsyncMixpeek, Mixpeek

MOODY = """
    if "bad" in list(batch["data"]):
        raise ValueError("I do not like this row")
    batch[FEATURE] = column_of(batch["data"])
"""


def test_a_batch_with_a_bad_row_ends_1_and_says_which_and_why(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    extractor = unique("moody")
    publish(client, make_plugin(extractor, batch=MOODY))
    (tmp_path / "rows.csv").write_text("text,year\ngood,2020\nbad,2021\nbetter,2022\n")

    bucket = mix("bucket", "create", "notes", "-p", "text=text", "-p", "year=integer").out.strip()
    sent = mix("bucket", "upload", "notes", "rows.csv", "--json")
    mix("collection", "create", "words", "-b", bucket, "-e", f"{extractor}@1.0.0", "--keep", "text", "--keep", "year")
    ran = mix("collection", "trigger", "words", "--wait")
    batch = ran.err.split()[0].rstrip(":")
    shown = mix("batch", "show", batch, "--json")
    watched = mix("batch", "watch", batch, "--bucket", "notes")
    failed = mix("batch", "failed", batch, "--json")
    exported = mix("documents", "export", "words", "d.parquet", "--vectors", "--json")

    assert (sent.json["rows"], sent.json["failed"]) == (3, [])
    assert (ran.code, watched.code, shown.code, failed.code) == (1, 1, 0, 0)
    assert ran.out == watched.out == "COMPLETED_WITH_ERRORS: 1 failed (1 raised), 2 written\n"
    assert shown.json["error_summary"] == {"raised": 1}
    (row,) = failed.json["results"]
    assert (row["cause"], "I do not like this row" in row["message"]) == ("raised", True)
    assert exported.json["documents"] == 2
    stored = pq.read_table(tmp_path / "d.parquet").to_pylist()
    assert sorted((each["text"], each["year"]) for each in stored) == [("better", 2022), ("good", 2020)]
    assert all(len(each[FEATURE]) > 1 for each in stored)
    one = mix("documents", "get", "words", stored[0]["document_id"])
    assert json.loads(one.out)["document_id"] == stored[0]["document_id"]


def test_the_client_that_awaits_fills_a_bucket_and_walks_through_it(client: Mixpeek) -> None:
    async def main() -> tuple[int, list[str]]:
        async with AsyncMixpeek(API_KEY, client.base_url, client.namespace) as twin:
            bucket = await twin.buckets.create("many", {"properties": {"text": {"type": "text"}}})
            rows = [{"text": f"row {number:03}"} for number in range(250)]
            made = [made async for _, made in twin.objects.create_all(bucket.bucket_id, rows)]
            stored = [each async for each in twin.objects.iterate("many", page_size=70)]
            return sum(each.succeeded_count for each in made), sorted(each.metadata["text"] for each in stored)

    count, texts = asyncio.run(main())

    assert count == 250
    assert texts == [f"row {number:03}" for number in range(250)]
