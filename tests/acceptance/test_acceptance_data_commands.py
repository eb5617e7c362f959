"""Data from the command line and from the client that awaits, against a real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import httpx
import pyarrow.parquet as pq

from factories.commands import Command
from factories.files import png
from factories.platform import bucket_with, collection_of, publish, unique
from factories.plugins import FEATURE, MakePlugin
from factories.servers import API_KEY
from mixpeek import AsyncMixpeek, Mixpeek

MOODY = """
    if "bad" in list(batch["data"]):
        raise ValueError("I do not like this row")
    batch[FEATURE] = column_of(batch["data"])
"""
SLOW = """
    import time

    print("counting", len(batch), "rows")
    time.sleep(0.1 * sum(text.startswith("slow") for text in batch["data"]))
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


def test_what_is_uploaded_again_is_neither_sent_nor_stored_a_second_time(mix: Command, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    (photos / "a.png").write_bytes(png(3))
    (photos / "below" / "b.png").write_bytes(png(4))
    (photos / ".hidden").write_text("not for anybody")
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    mix("bucket", "create", "mixed", "-p", "photo=image", "-p", "text=text", "-p", "place=string")

    first = mix("bucket", "upload", "mixed", "photos", "rows.jsonl", "--metadata", '{"place": "here"}', "--json").json
    (photos / "c.png").write_bytes(png(5))
    second = mix("bucket", "upload", "mixed", "photos", "rows.jsonl", "--metadata", '{"place": "here"}', "--json").json
    words = mix("bucket", "upload", "mixed", "photos")
    third = mix("bucket", "upload", "mixed", "rows.jsonl", "--again", "--json").json
    objects = mix("object", "list", "mixed", "--all", "--json").json["results"]

    assert [(run["files_sent"], run["files_present"], run["rows"]) for run in (first, second)] == [(2, 0, 2), (1, 2, 2)]
    assert (words.out, third["rows"]) == ("3 there already\n", 2)
    assert sorted(each["place"] for each in objects if each["blobs"][0]["property"] == "photo") == ["here"] * 3
    texts = [each["blobs"][0]["data"] for each in objects if each["blobs"][0]["property"] == "text"]
    assert Counter(texts) == {"one": 2, "two": 2}, "only `--again` makes a second object"


def test_a_unique_key_and_the_policy_decide_about_a_row_that_is_there(mix: Command, tmp_path: Path) -> None:
    mix("bucket", "create", "books", "-p", "isbn=string", "-p", "title=text", "--unique-key", "isbn")
    (tmp_path / "one.jsonl").write_text('{"isbn": "1", "title": "first"}\n')
    (tmp_path / "both.jsonl").write_text('{"isbn": "1", "title": "second"}\n{"isbn": "2", "title": "new"}\n')

    def titles() -> dict[str, str]:
        found = mix("object", "list", "books", "--json").json["results"]
        return {each["isbn"]: each["blobs"][0]["data"] for each in found}

    mix("bucket", "upload", "books", "one.jsonl")
    inserted = mix("bucket", "upload", "books", "both.jsonl", "--policy", "insert")
    after_insert = titles()
    updated = mix("bucket", "upload", "books", "both.jsonl", "--policy", "update")
    after_update = titles()
    repeated = mix("bucket", "upload", "books", "both.jsonl", "--policy", "insert")
    replaced = mix("bucket", "upload", "books", "one.jsonl")
    after_upsert = titles()
    none = mix("bucket", "upload", "books", "one.jsonl", "--policy", "never")

    assert (inserted.code, inserted.out) == (1, "1 refused, 1 rows\n")
    assert "both.jsonl, row 1: There is an object with this unique key (isbn) already" in inserted.err
    assert after_insert == {"1": "first", "2": "new"}
    assert (updated.code, after_update) == (0, {"1": "second", "2": "new"})
    assert (repeated.code, repeated.out) == (0, "2 rows\n"), "what is there as it is asked for is no fault"
    assert (replaced.code, after_upsert) == (0, {"1": "first", "2": "new"})
    assert (none.code, "insert" in none.err) == (1, True)


def test_a_batch_is_followed_listed_canceled_and_carried_on(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    extractor = unique("slow")
    publish(client, make_plugin(extractor, batch=SLOW, manifest='compute_profile = {"batch_size": 4}'))
    bucket_id = bucket_with(client, [f"slow {place}" for place in range(40)] + ["fast"])
    collection = collection_of(client, bucket_id, extractor)
    batch = mix("collection", "trigger", collection.collection_id).out.strip()

    lines = mix("batch", "watch", batch, "--json").out.splitlines()
    listed = mix("batch", "list", "--json").json["results"]
    logs = mix("batch", "logs", batch)
    other = mix("collection", "trigger", collection.collection_id).out.strip()
    cancelled = mix("batch", "cancel", other)
    shown = mix("batch", "show", other)
    failed = mix("batch", "failed", other)
    carried_on = mix("batch", "retry", other, "--wait")
    nothing = mix("batch", "retry", other)
    ended = mix("batch", "cancel", other)

    told = [json.loads(line) for line in lines]
    assert [told[0]["status"] != "COMPLETED", told[-1]["status"]] == [True, "COMPLETED"]
    assert len({each["progress"]["written"] for each in told}) > 2, "it was told of on the way, not at its end only"
    assert [each["batch_id"] for each in listed] == [batch]
    assert re.search(r"chunk \d+, steps\[0\] \w+: .*counting", logs.out), logs.out
    assert (cancelled.code, cancelled.out) == (0, f"{other} CANCELED\n")
    assert "CANCELED" in shown.out
    assert (failed.code, "No row failed" in failed.err) == (0, True)
    assert (carried_on.code, carried_on.out) == (0, "COMPLETED: 41 written\n")
    assert (nothing.code, nothing.out) == (0, "Nothing is left to retry\n")
    assert ended.out == f"{other} COMPLETED\n"


def test_documents_are_chosen_sorted_and_exported(
    mix: Command, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    extractor = unique("plain")
    publish(client, make_plugin(extractor))
    bucket_id = bucket_with(client, ["red apple", "green apple", "red car"], topics=["fruit", "fruit", "thing"])
    collection = collection_of(client, bucket_id, extractor, field_passthrough=["content", "topic"])
    words = collection.collection_name
    mix("collection", "trigger", words, "--wait")

    chosen = mix("documents", "list", words, "-f", "topic=fruit", "-f", "content~apple", "--sort", "content:desc")
    newest = mix("documents", "list", words, "--sort", "content", "--select", "content", "-l", "1", "--json").json
    refused = mix("documents", "list", words, "-f", "topic")
    exported = mix("documents", "export", words, "fruit.jsonl", "-f", "topic=fruit", "--sort", "content")
    to_stdout = mix("documents", "export", words, "-l", "2")
    absent = mix("documents", "get", words, "doc_absent")

    assert chosen.out.index("red apple") < chosen.out.index("green apple")
    assert "car" not in chosen.out
    assert ([each["content"] for each in newest["results"]], newest["has_more"]) == (["green apple"], True)
    assert (refused.code, "FIELD" in refused.err or "condition" in refused.err.lower()) == (2, True)
    kept = [json.loads(line) for line in (tmp_path / "fruit.jsonl").read_text().splitlines()]
    assert (exported.code, [each["content"] for each in kept]) == (0, ["green apple", "red apple"])
    assert len(to_stdout.out.splitlines()) == 2
    assert (absent.code, "doc_absent" in absent.err) == (1, True)


def test_a_wait_is_held_by_the_server_and_a_batch_is_watched_by_its_events(
    client: Mixpeek, make_plugin: MakePlugin
) -> None:
    extractor = unique("slow")
    publish(client, make_plugin(extractor, batch=SLOW, manifest='compute_profile = {"batch_size": 4}'))
    bucket_id = bucket_with(client, [f"slow {place}" for place in range(20)])
    collection = collection_of(client, bucket_id, extractor)
    asked: Counter[str] = Counter()

    def count(request: httpx.Request) -> None:
        asked[request.url.path.removeprefix("/v1")] += 1

    client.tasks._transport._http.event_hooks["request"].append(count)
    first, second = (client.collections.trigger(collection.collection_id) for _ in range(2))
    seen = list(client.batches.watch(bucket_id, first.batch_id))
    task = client.tasks.wait(second.task_id, timeout_s=60)

    path = f"/buckets/{bucket_id}/batches/{first.batch_id}"
    assert (seen[-1].status, task.status) == ("COMPLETED", "COMPLETED")
    assert (asked[f"{path}/events"], asked[path]) == (1, 2), "it is asked for at the beginning and at the end"
    assert asked[f"/tasks/{second.task_id}"] == 1, "a wait is one question"


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
