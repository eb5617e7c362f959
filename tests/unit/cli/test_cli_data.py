"""The commands about buckets, objects, collections, batches and documents: what they ask for, print and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factories.commands import Command, Ran
from factories.local_server import Answer, LocalServer, refusal
from mixpeek.cli import app as root
from mixpeek.cli.following import verdict_of
from mixpeek.cli.values import filters_from
from mixpeek.errors import InvalidRequest

BUCKET = {
    "bucket_id": "bkt_1",
    "bucket_name": "notes",
    "object_count": 2,
    "total_size_bytes": 10,
    "created_at": "2026-01-02T03:04:05.678+00:00",
    "bucket_schema": {"properties": {"text": {"type": "text", "required": True}, "n": {"type": "integer"}}},
}
BATCH = "GET /v1/buckets/notes/batches/btch_1"
DOCUMENTS = "POST /v1/collections/col_1/documents/list"
BAD_BATCH = {
    "batch_id": "btch_1",
    "status": "COMPLETED_WITH_ERRORS",
    "collection_ids": ["col_1"],
    "error_summary": {"raised": 2, "timed_out": 1},
    "progress": {"written": 7, "skipped": 0, "failed": 3},
    "error": None,
}


@pytest.fixture
def data(mix: Command, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in a namespace of the local server."""
    monkeypatch.setenv("MIXPEEK_BASE_URL", server.url)
    monkeypatch.setenv("MIXPEEK_NAMESPACE", "ns_1")
    return mix


def listed(rows: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"results": rows, "pagination": {"next_cursor": cursor}}


def test_a_bucket_is_declared_property_by_property(data: Command, server: LocalServer) -> None:
    server.on("POST /v1/buckets", BUCKET)

    ran = data("bucket", "create", "notes", "-p", "text=text", "-p", "n=integer", "--required", "text")

    assert (ran.code, ran.out) == (0, "bkt_1\n")
    assert server.asked[0].json == {"bucket_name": "notes", "bucket_schema": BUCKET["bucket_schema"]}


def test_a_bucket_may_be_declared_by_its_whole_schema(data: Command, server: LocalServer, tmp_path: Path) -> None:
    server.on("POST /v1/buckets", BUCKET)
    (tmp_path / "schema.json").write_text(json.dumps({"text": {"type": "text"}}))

    ran = data("bucket", "create", "b", "--schema", f"@{tmp_path}/schema.json", "--unique-key", "text", "--json")

    assert (ran.json, ran.err) == (BUCKET, "")
    assert server.asked[0].json["bucket_schema"] == {"properties": {"text": {"type": "text"}}}
    assert server.asked[0].json["unique_key"] == {"fields": ["text"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bucket", "create", "b"], "No property is given"),
        (["bucket", "create", "b", "-p", "text"], "not of the form NAME=VALUE"),
        (["bucket", "create", "b", "-p", "a=text", "--required", "z"], "`--required z` is no property"),
        (["bucket", "create", "b", "-p", "a=text", "--schema", "{}"], "is the whole schema"),
        (["collection", "create", "c", "-e", "x"], "reads buckets or other collections"),
        (["documents", "list", "col_1", "-f", "nonsense"], "is no condition"),
        (["documents", "list", "col_1", "--sort", "a:up"], "no such direction"),
        (["documents", "export", "col_1", "--json"], "JSON lines and nothing else"),
        (["documents", "export", "col_1", "/nowhere/at/all.jsonl"], "is no folder"),
    ],
)
def test_a_wrong_call_sends_nothing(data: Command, server: LocalServer, arguments: list[str], words: str) -> None:
    ran = data(*arguments)

    assert ran.code == 2
    assert words in ran.err + ran.out
    assert server.asked == []


def test_a_list_shows_as_many_rows_as_asked_for_and_says_that_there_are_more(
    data: Command, server: LocalServer
) -> None:
    rows = [{**BUCKET, "bucket_id": f"bkt_{number}"} for number in range(3)]
    server.on("POST /v1/buckets/list", listed(rows[:2], "c"), listed(rows[2:]))

    some = data("bucket", "list", "--limit", "1")
    server.on("POST /v1/buckets/list", listed(rows[:2], "c"), listed(rows[2:]))
    every = data("bucket", "list", "--all", "--json")

    assert some.out.splitlines() == [
        "ID     NAME   OBJECTS  BYTES  CREATED",
        "bkt_0  notes  2        10     2026-01-02 03:04:05",
    ]
    assert "more than 1" in some.err
    assert len(server.asked) == 3
    assert (every.json["results"], every.json["has_more"]) == (rows, False)


def test_a_bucket_is_shown_by_what_is_known_of_it(data: Command, server: LocalServer) -> None:
    server.on("GET /v1/buckets/notes", BUCKET)

    ran = data("bucket", "show", "notes")

    assert ran.out.splitlines()[-1].split() == ["PROPERTIES", "text", "(text,", "required),", "n", "(integer)"]
    assert "UNIQUE KEY" not in ran.out


def test_files_are_sent_and_rows_become_objects(data: Command, server: LocalServer, tmp_path: Path) -> None:
    server.on("GET /v1/buckets/notes", BUCKET)
    server.on("POST /v1/buckets/bkt_1/uploads", {"upload_id": "u", "presigned_url": f"{server.url}/put"})
    server.on("PUT /put", Answer(b""))
    server.on("POST /v1/buckets/bkt_1/uploads/u/confirm", {"object_id": "obj_1"})
    server.on("POST /v1/buckets/bkt_1/objects/batch", {"succeeded": [], "failed": [], "succeeded_count": 2})
    (tmp_path / "page.txt").write_text("page")
    (tmp_path / "rows.csv").write_text("text,n\na,1\nb,\n")

    ran = data("bucket", "upload", "notes", tmp_path)

    assert (ran.code, ran.out) == (0, "1 files sent, 2 rows\n")
    assert server.asked[-1].json == {
        "objects": [{"skip_duplicates": True, "text": "a", "n": 1}, {"skip_duplicates": True, "text": "b"}]
    }


def test_what_the_bucket_has_is_not_sent_a_second_time_unless_asked_for(
    data: Command, server: LocalServer, tmp_path: Path
) -> None:
    server.on("GET /v1/buckets/notes", BUCKET)
    server.on("POST /v1/buckets/bkt_1/uploads", {"upload_id": "u", "presigned_url": None, "object_id": "obj_1"})
    (tmp_path / "rows.csv").write_text("text\na\n")

    ran = data("bucket", "upload", "notes", tmp_path / "rows.csv", "--as-files", "--again", "--json")

    assert ran.json["files_present"] == 1
    assert server.asked[-1].json["skip_duplicates"] is False


def test_what_is_refused_is_named_and_ends_1(data: Command, server: LocalServer, tmp_path: Path) -> None:
    server.on("GET /v1/buckets/notes", BUCKET)
    server.on("POST /v1/buckets/bkt_1/uploads", refusal(422, "ValidationError", "No property", hint="Name one"))
    failed = [{"object_index": 1, "error": "text: missing", "error_type": "ValidationError"}]
    server.on("POST /v1/buckets/bkt_1/objects/batch", {"succeeded": [], "failed": failed, "succeeded_count": 1})
    (tmp_path / "page.txt").write_text("page")
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n{"n": 2}\n')

    plain = data("bucket", "upload", "notes", tmp_path)
    as_json = data("bucket", "upload", "notes", tmp_path, "--json")

    assert (plain.code, plain.out) == (1, "2 refused, 1 rows\n")
    assert plain.err.splitlines() == ["  page.txt: No property; Name one", "  rows.jsonl, row 2: text: missing"]
    assert (as_json.code, as_json.json["success"], len(as_json.json["failed"])) == (1, False, 2)


def test_objects_are_listed_and_deleted(data: Command, server: LocalServer) -> None:
    stored = {"object_id": "obj_1", "status": "DRAFT", "blobs": [{"property": "text", "type": "text"}]}
    server.on("POST /v1/buckets/notes/objects/list", listed([stored]))
    server.on("DELETE /v1/buckets/notes/objects/obj_1", Answer(b"", 204))

    assert data("object", "list", "notes").out.splitlines()[1].split() == ["obj_1", "DRAFT", "text:text"]
    assert data("object", "delete", "notes", "obj_1", "--json").json == {"success": True, "object_id": "obj_1"}


def test_a_collection_is_created_from_its_options(data: Command, server: LocalServer) -> None:
    server.on("POST /v1/collections", {"collection_id": "col_1"})

    ran = data(
        "collection", "create", "c", "-b", "notes", "-e", "x@1.0.0", "--map", "text=body", "--keep", "n",
        "--parameters", '{"k": 1}', "--description", "d",
    )  # fmt: skip

    assert (ran.code, ran.out) == (0, "col_1\n")
    assert server.asked[0].json == {
        "collection_name": "c",
        "source": {"type": "bucket", "bucket_ids": ["notes"]},
        "feature_extractor": {
            "feature_extractor_name": "x",
            "version": "1.0.0",
            "input_mappings": {"text": "body"},
            "field_passthrough": [{"source_path": "n"}],
            "parameters": {"k": 1},
        },
        "description": "d",
    }


def trigger(data: Command, server: LocalServer, batch: dict[str, Any], *options: str) -> Ran:
    started = {"batch_id": "btch_1", "task_id": "task_1", "source_bucket_ids": ["notes"]}
    server.on("POST /v1/collections/c/trigger", started)
    server.on("GET /v1/tasks/task_1", {"status": batch["status"]})
    server.on(BATCH, batch)
    return data("collection", "trigger", "c", *options)


def test_a_trigger_prints_the_batch_to_follow(data: Command, server: LocalServer) -> None:
    ran = trigger(data, server, BAD_BATCH)

    assert (ran.code, ran.out) == (0, "btch_1\n")
    assert "mixpeek batch watch btch_1" in ran.err


def test_a_trigger_that_waits_ends_as_the_batch_does(data: Command, server: LocalServer) -> None:
    well = trigger(data, server, {"batch_id": "btch_1", "status": "COMPLETED", "progress": {"written": 9}}, "--wait")
    badly = trigger(data, server, BAD_BATCH, "--wait")
    as_json = trigger(data, server, BAD_BATCH, "--wait", "--json")

    assert (well.code, well.out) == (0, "COMPLETED: 9 written\n")
    assert badly.code == 1
    assert badly.out == "COMPLETED_WITH_ERRORS: 3 failed (2 raised, 1 timed_out), 7 written\n"
    assert "mixpeek batch failed btch_1" in badly.err
    assert (as_json.code, as_json.json, as_json.err) == (1, BAD_BATCH, "")


@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_a_watched_batch_that_does_not_complete_ends_1(data: Command, server: LocalServer, status: str) -> None:
    running = {**BAD_BATCH, "status": "IN_PROGRESS"}
    server.on(BATCH, running, running, {**BAD_BATCH, "status": status, "error": "nothing was stored"})

    ran = data("batch", "watch", "btch_1", "--bucket", "notes")

    assert ran.code == 1
    assert ran.out.splitlines()[0] == f"{status}: 3 failed (2 raised, 1 timed_out), 7 written"
    assert "nothing was stored" in ran.err


def test_a_watched_batch_is_one_object_a_line_in_json(data: Command, server: LocalServer) -> None:
    done = {"batch_id": "btch_1", "status": "COMPLETED"}
    server.on("POST /v1/buckets/list", listed([{"bucket_id": "bkt_0"}, {"bucket_id": "notes"}]))
    server.on(BATCH, {**done, "status": "PENDING"}, {**done, "status": "PENDING"}, done)

    ran = data("batch", "watch", "btch_1", "--json")

    assert [json.loads(line)["status"] for line in ran.out.splitlines()] == ["PENDING", "COMPLETED"]


def test_batches_of_every_bucket_are_listed(data: Command, server: LocalServer) -> None:
    server.on("POST /v1/buckets/list", listed([{"bucket_id": "bkt_0"}, {"bucket_id": "notes"}]))
    server.on("POST /v1/buckets/bkt_0/batches/list", {"results": [], "total_count": 0})
    server.on("POST /v1/buckets/notes/batches/list", {"results": [BAD_BATCH], "total_count": 1})

    ran = data("batch", "list")

    assert ran.out.splitlines()[1].split() == ["btch_1", "COMPLETED_WITH_ERRORS", "col_1", "3"]


def test_failed_rows_are_listed_with_their_causes(data: Command, server: LocalServer) -> None:
    failed = {"cause": "raised", "object_id": "obj_1", "document_id": "doc_1", "message": "ValueError: no\ntrace"}
    server.on(BATCH, BAD_BATCH)
    server.on(f"{BATCH}/failed-documents", {"failed_documents": [failed], "causes": {"raised": 1}, "total": 1})

    ran = data("batch", "failed", "btch_1", "-b", "notes")

    assert ran.out.splitlines()[1].split() == ["raised", "obj_1", "doc_1", "ValueError:", "no"]
    assert ran.err.startswith("COMPLETED_WITH_ERRORS: 3 failed")


def test_a_batch_is_retried_canceled_and_shown(data: Command, server: LocalServer) -> None:
    server.on(BATCH, BAD_BATCH)
    post = BATCH.replace("GET", "POST")
    server.on(f"{post}/retry", {"task_id": "task_2"})
    server.on(f"{post}/cancel", {"task_id": "task_2"})

    waited = data("batch", "retry", "btch_1", "-b", "notes", "--mode", "transient_only", "--max", "2", "--wait")
    canceled = data("batch", "cancel", "btch_1", "-b", "notes")
    shown = data("batch", "show", "btch_1", "-b", "notes")

    assert (waited.code, canceled.code, shown.code) == (1, 0, 0)
    assert canceled.out == "btch_1 CANCELED\n"
    asked = next(asked for asked in server.asked if asked.path.endswith("/retry"))
    assert asked.json == {"retry_mode": "transient_only", "max_retry_count": 2}
    assert "CAUSES       raised 2, timed_out 1" in shown.out


def test_the_log_of_a_batch_is_shown_like_a_plugins(data: Command, server: LocalServer) -> None:
    line = {"at": "2026-01-02T03:04:05.678", "level": "warning", "source": "batch", "message": "slow\nvery"}
    server.on(BATCH, BAD_BATCH)
    server.on(f"{BATCH}/logs", listed([{**line, "level": "info"}, line]))

    ran = data("batch", "logs", "btch_1", "-b", "notes", "--level", "warning")

    assert ran.out.splitlines() == ["2026-01-02 03:04:05.678 batch    warning  slow", "    very"]
    assert server.asked[-1].query == {"limit": "100"}


def test_documents_are_asked_for_by_conditions_and_shown_by_their_first_fields(
    data: Command, server: LocalServer
) -> None:
    server.on(DOCUMENTS, listed([{"document_id": "doc_1", "collection_id": "col_1", "text": "x" * 50, "v": [1.0]}]))

    ran = data("documents", "list", "col_1", "-f", "n>=2", "-f", "text~csv", "--sort", "n:desc", "--select", "text")
    plain = data("documents", "list", "col_1")

    assert server.asked[0].json == {
        "filters": {
            "AND": [
                {"field": "n", "operator": "gte", "value": 2},
                {"field": "text", "operator": "contains", "value": "csv"},
            ]
        },
        "sort": {"field": "n", "direction": "desc"},
        "select": ["text"],
    }
    assert ran.out == plain.out
    assert plain.out.splitlines()[0].split() == ["ID", "TEXT"]
    assert plain.out.splitlines()[1].endswith("x…")


def test_documents_are_exported_to_a_file_or_to_stdout(data: Command, server: LocalServer, tmp_path: Path) -> None:
    rows = [{"document_id": "a", "n": 1}, {"document_id": "b", "n": None}]
    server.on(DOCUMENTS, listed(rows))

    lines = data("documents", "export", "col_1")
    parquet = data("documents", "export", "col_1", tmp_path / "d.parquet", "--json")

    assert [json.loads(line) for line in lines.out.splitlines()] == rows
    assert lines.err == "2 documents\n"
    assert parquet.json["documents"] == 2
    assert pq.read_table(tmp_path / "d.parquet").to_pylist() == rows


@pytest.mark.parametrize("group", ["bucket", "object", "collection", "batch", "documents", "retriever", "task"])
def test_every_command_about_data_shows_an_example_of_itself(group: str) -> None:
    commands = root.typer.main.get_command(root.app).commands[group].commands  # type: ignore[attr-defined]

    without = [name for name, command in commands.items() if f"Example: `mixpeek {group} {name}" not in command.help]
    assert without == []


@pytest.mark.parametrize(
    ("condition", "parsed"),
    [
        ("a=b", ("a", "eq", "b")),
        ("a.b != 3", ("a.b", "ne", 3)),
        ("n<=1.5", ("n", "lte", 1.5)),
        ("flag=true", ("flag", "eq", True)),
        ("text~a=b", ("text", "contains", "a=b")),
        ("version=1.0.0", ("version", "eq", "1.0.0")),
        ("empty=", ("empty", "eq", "")),
    ],
)
def test_a_condition_is_a_field_an_operator_and_a_value(condition: str, parsed: tuple[Any, ...]) -> None:
    filters = filters_from([condition])

    assert filters is not None
    assert tuple(filters["AND"][0].values()) == parsed
    with pytest.raises(InvalidRequest):
        filters_from([f"={condition}"])


@pytest.mark.parametrize(
    ("batch", "verdict"),
    [
        ({"status": "DRAFT"}, "DRAFT"),
        (
            {"status": "COMPLETED", "progress": {"written": 0, "skipped": 2, "failed": 0}},
            "COMPLETED: 0 written, 2 skipped",
        ),
        ({"status": "FAILED", "error_summary": {"no_gpu": 4}}, "FAILED: 4 no_gpu"),
        ({"status": "FAILED", "progress": {"failed": 4, "written": 0}}, "FAILED: 4 failed, 0 written"),
    ],
)
def test_a_verdict_is_one_line_with_the_causes_first(batch: dict[str, Any], verdict: str) -> None:
    assert verdict_of(batch) == verdict
