"""Three tiers of collections over files that installed packages ship: file → pages → paragraphs → vectors."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories.answers import refusal
from factories.platform import all_documents, publish, run_batch, search, unique
from factories.plugins import PIPELINE, write_plugin
from factories.servers import API_KEY, Server
from mixpeek import Mixpeek
from mixpeek.client import ApiError
from mixpeek.db.embedded import EmbeddedPostgres

LINES_PER_PAGE = 40

MANIFEST = """
metadata = {{
    "feature_extractor_name": "{name}",
    "version": "1.0.0",
    "description": "Splits text",
    "category": "text",
    "explodes": True,
}}
input_schema = {{"type": "object", "properties": {{"text": {{"type": "string"}}}}}}
output_schema = {{
    "type": "object",
    "properties": {{"{output}": {{"type": "string"}}, "number": {{"type": "integer"}}}},
}}
parameter_schema = {{"type": "object", "properties": {{"lines": {{"type": "integer", "minimum": 1}}}}}}
supported_input_types = ["text"]
features = []
"""
CORE = """
import pandas as pd


class Processor:
    def __init__(self, config, progress_actor=None):
        self.lines = (config or {{}}).get("lines", {lines})

    def split(self, text):
        {split}

    def __call__(self, batch):
        parts = [
            {{"document_id": row["document_id"], "{output}": part, "number": number}}
            for row in batch.to_dict("records")
            for number, part in enumerate(self.split(row["text"]), start=1)
        ]
        return pd.DataFrame(parts)
"""
PAGES = (
    "lines = text.splitlines(); "
    "return [chr(10).join(lines[n : n + self.lines]) for n in range(0, len(lines), self.lines)]"
)
PARAGRAPHS = "return [part.strip() for part in text.split(chr(10) * 2) if part.strip()]"


def splitter(folder: Path, output: str, split: str) -> Path:
    core = CORE.format(output=output, split=split, lines=LINES_PER_PAGE)
    texts = {
        "manifest.py": MANIFEST.format(name=folder.name, output=output),
        "pipeline.py": PIPELINE,
        "processors/core.py": core,
    }
    return write_plugin(folder, realtime=False, files=texts)


def shipped(package: str) -> str:
    """Return the text of the licence that a package ships."""
    [first, *_] = [path for path in files(package) or [] if "LICENSE" in path.name.upper() and path.suffix != ".py"]
    return Path(str(first.locate())).read_text(encoding="utf-8")


def pages_of(text: str, lines: int = LINES_PER_PAGE) -> list[str]:
    every = text.splitlines()
    return ["\n".join(every[start : start + lines]) for start in range(0, len(every), lines)]


def paragraphs_of(page: str) -> list[str]:
    return [part.strip() for part in page.split("\n\n") if part.strip()]


FILES = {name: shipped(name) for name in ("numpy", "httpx", "pydantic")}


class Tiers:
    """A bucket of files and three collections, each reading the one before it."""

    def __init__(self, client: Mixpeek, texts: dict[str, str]) -> None:
        self.client = client
        schema = {"properties": {"content": {"type": "text", "required": True}, "package": {"type": "string"}}}
        self.bucket_id = client.buckets.create(unique("files"), schema).bucket_id
        blobs = [
            {"blobs": [{"property": "content", "type": "text", "data": text}], "package": name}
            for name, text in texts.items()
        ]
        made = client.objects.create_batch(self.bucket_id, blobs)
        self.objects = {one["package"]: one["object_id"] for one in made["succeeded"]}
        self.pages = self.collection("to_pages", {"type": "bucket", "bucket_id": self.bucket_id}, {"text": "content"})
        self.chunks = self.reading(self.pages, "to_paragraphs", {"text": "page"})
        self.vectors = self.reading(self.chunks, "small_words", {"text": "paragraph"}, ["paragraph"])
        self.all = (self.pages, self.chunks, self.vectors)

    def collection(self, extractor: str, source: dict[str, Any], mappings: Any, passed: Any = (), **more: Any) -> Any:
        extractor_fields = {
            "feature_extractor_name": extractor,
            "input_mappings": mappings,
            "field_passthrough": ["package", *passed],
            **more,
        }
        return self.client.collections.create(unique(extractor), source, extractor_fields)

    def reading(self, source: Any, extractor: str, mappings: Any, passed: Any = (), **more: Any) -> Any:
        origin = {"type": "collection", "collection_id": source.collection_id}
        return self.collection(extractor, origin, mappings, passed, **more)

    def documents(self) -> list[dict[str, dict[str, Any]]]:
        """Return the documents of each tier by id, without the times of what wrote them."""
        found = [{one["document_id"]: dict(one) for one in all_documents(self.client, each)} for each in self.all]
        for documents in found:
            for document in documents.values():
                document["_internal"].pop("updated_at")
                for step in document["_internal"]["lineage"]["chain"]:
                    step.pop("timestamp")
        return found


def send(server: Server, client: Mixpeek, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Namespace": client.namespace or ""}
    return httpx.request(method, f"{server.url}/v1/collections/{path}", json=body, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def client_of_three(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixpeek]:
    folder = tmp_path_factory.mktemp("tiers")
    with server.client() as client:
        publish(client, splitter(folder / "to_pages", "page", PAGES))
        publish(client, splitter(folder / "to_paragraphs", "paragraph", PARAGRAPHS), deploy=True)
        publish(client, write_plugin(folder / "small_words"))
        yield client


@pytest.fixture(scope="module")
def tiers(client_of_three: Mixpeek) -> Tiers:
    """Three tiers that one trigger of the first has filled."""
    made = Tiers(client_of_three, FILES)
    made.triggered = client_of_three.collections.trigger(made.pages.collection_id)  # type: ignore[attr-defined]
    made.task = client_of_three.tasks.wait(made.triggered.task_id, timeout_s=90)  # type: ignore[attr-defined]
    return made


def test_one_trigger_fills_every_tier_with_exactly_what_the_files_hold(tiers: Any) -> None:
    pages = [page for text in FILES.values() for page in pages_of(text)]
    paragraphs = [part for page in pages for part in paragraphs_of(page)]

    found = tiers.documents()

    assert tiers.task.status == "COMPLETED", tiers.task.error
    assert sorted(one["page"] for one in found[0].values()) == sorted(pages)
    assert sorted(one["paragraph"] for one in found[1].values()) == sorted(paragraphs)
    assert sorted(one["paragraph"] for one in found[2].values()) == sorted(paragraphs)
    assert {one["package"] for one in found[2].values()} == set(FILES)


def test_a_batch_tells_of_each_tier(tiers: Any) -> None:
    batch = tiers.client.batches.get(tiers.bucket_id, tiers.triggered.batch_id)

    counts = [len(documents) for documents in tiers.documents()]
    assert batch.dag_tiers == [[one.collection_id] for one in tiers.all]
    assert (batch.current_tier, batch.total_tiers, tiers.triggered.total_tiers) == (2, 3, 3)
    assert [tier["status"] for tier in batch.tier_tasks] == ["COMPLETED"] * 3
    assert [tier["documents_written"] for tier in batch.tier_tasks] == counts
    assert [tier["source_documents_fetched"] for tier in batch.tier_tasks] == [len(FILES), *counts[:2]]
    assert [tier["source_collection_ids"] for tier in batch.tier_tasks] == [
        None,
        [tiers.pages.collection_id],
        [tiers.chunks.collection_id],
    ]
    ends = [tier["completed_at"] for tier in batch.tier_tasks]
    assert all(tier["started_at"] >= end for tier, end in zip(batch.tier_tasks[1:], ends, strict=False))


def test_every_document_says_which_file_page_and_paragraph_it_comes_from(tiers: Any) -> None:
    pages, chunks, vectors = tiers.documents()

    for document in vectors.values():
        lineage = document["_internal"]["lineage"]
        chunk = chunks[lineage["source_document_id"]]
        page = pages[chunk["_internal"]["lineage"]["source_document_id"]]
        ids = [one.collection_id for one in tiers.all]
        assert document["paragraph"] == chunk["paragraph"]
        assert chunk["paragraph"] in page["page"]
        assert page["page"] == pages_of(FILES[document["package"]])[page["number"] - 1]
        assert lineage["root_object_id"] == tiers.objects[document["package"]]
        assert lineage["root_bucket_id"] == tiers.bucket_id
        assert (lineage["source_type"], lineage["source_collection_id"]) == ("collection", tiers.chunks.collection_id)
        assert lineage["path"] == "/".join([tiers.bucket_id, *ids])
        assert [step["collection_id"] for step in lineage["chain"]] == ids
        assert [step["document_id"] for step in lineage["chain"]] == [
            page["document_id"],
            chunk["document_id"],
            document["document_id"],
        ]
        assert chunk["_internal"]["lineage"]["position"] == chunk["number"] - 1


def test_a_search_of_the_last_tier_finds_a_paragraph(tiers: Any) -> None:
    wanted = paragraphs_of(pages_of(FILES["httpx"])[0])[0]

    assert search(tiers.client, tiers.vectors, wanted)[0]["paragraph"] == wanted


def test_triggering_again_leaves_exactly_the_same_documents(tiers: Any) -> None:
    before = tiers.documents()

    task = run_batch(tiers.client, tiers.pages)

    assert task.status == "COMPLETED", task.error
    assert tiers.documents() == before


def test_a_collection_of_documents_is_triggered_by_itself_and_only_over_what_the_filters_choose(tiers: Any) -> None:
    before = tiers.documents()
    ours = [one for one in before[1].values() if one["package"] == "httpx"]

    triggered = tiers.client.collections.trigger(
        tiers.vectors.collection_id,
        include_collections=[tiers.chunks.collection_name],
        source_filters={"AND": [{"field": "package", "operator": "eq", "value": "HTTPX"}]},
    )
    task = tiers.client.tasks.wait(triggered.task_id, timeout_s=60)
    batch = tiers.client.batches.get(tiers.bucket_id, triggered.batch_id)

    assert (task.status, batch.type, triggered.total_tiers) == ("COMPLETED", "COLLECTION", 1)
    assert triggered.document_count == len(before[1])
    assert batch.tier_tasks[0]["documents_after_source_filter"] == len(ours)
    assert task.outputs[0]["documents_written"] == len(ours)
    assert tiers.documents() == before


def test_fewer_parts_than_before_leave_no_document_of_the_former_ones_in_any_tier(
    server: Server, client_of_three: Mixpeek
) -> None:
    made = Tiers(client_of_three, {"long": "\n\n".join(f"paragraph {n}" for n in range(30)), "other": "stays"})
    run_batch(client_of_three, made.pages)
    before = made.documents()

    with psycopg.connect(EmbeddedPostgres(server.data_dir).url) as connection:
        connection.execute(
            "UPDATE objects SET blobs = jsonb_set(blobs, '{0,data}', %s) WHERE object_id = %s",
            [Jsonb("paragraph 0\n\nparagraph 1"), made.objects["long"]],
        )
    task = run_batch(client_of_three, made.pages)
    after = made.documents()

    assert [len(documents) for documents in before] == [3, 31, 31]
    assert task.status == "COMPLETED", task.error
    assert [len(documents) for documents in after] == [2, 3, 3]
    assert sorted(one["paragraph"] for one in after[2].values()) == ["paragraph 0", "paragraph 1", "stays"]
    assert all(set(now) <= set(then) for now, then in zip(after, before, strict=True)), "ids stay"


def test_what_was_made_of_a_deleted_document_goes_with_it_in_every_tier(
    server: Server, client_of_three: Mixpeek
) -> None:
    made = Tiers(client_of_three, {name: f"{name} a\n\n{name} b" for name in ("one", "two", "three", "four")})
    run_batch(client_of_three, made.pages)
    at = f"{made.pages.collection_id}/documents"
    [page] = [each for each in made.documents()[0].values() if each["package"] == "one"]
    [other] = [each for each in made.documents()[0].values() if each["package"] == "two"]

    one = send(server, client_of_three, "DELETE", f"{at}/{page['document_id']}")
    chosen = send(server, client_of_three, "DELETE", f"{at}/batch", {"document_ids": [other["document_id"]]})
    filtered = send(server, client_of_three, "DELETE", f"{at}/batch", {"filters": {"package": "three"}})

    assert (one.status_code, chosen.json()["deleted_count"], filtered.json()["deleted_count"]) == (200, 1, 1)
    assert [{each["package"] for each in documents.values()} for documents in made.documents()] == [{"four"}] * 3


def test_a_row_without_parts_is_counted_and_its_neighbours_are_stored(client_of_three: Mixpeek) -> None:
    made = Tiers(client_of_three, {"blank": "\n", "full": "words"})

    task = run_batch(client_of_three, made.pages)
    batch = client_of_three.batches.get(made.bucket_id, task.inputs[0]["batch_id"])

    assert (task.status, task.outputs[0]["causes"]) == ("COMPLETED_WITH_ERRORS", {"no_parts": 1})
    assert [tier["status"] for tier in batch.tier_tasks] == ["COMPLETED", "COMPLETED_WITH_ERRORS", "COMPLETED"]
    assert [len(documents) for documents in made.documents()] == [2, 1, 1]


def test_an_exploding_plugin_is_deployed_and_answers_a_request_with_its_first_part(client_of_three: Mixpeek) -> None:
    answer = client_of_three.inference.ask("to_paragraphs", {"text": "one\n\ntwo"})

    assert answer.output == {"paragraph": "one", "number": 1}


def test_a_tier_that_stores_nothing_fails_the_batch_and_the_tiers_after_it_are_not_run(
    client_of_three: Mixpeek,
) -> None:
    made = Tiers(client_of_three, {"blank": "\n"})

    task = run_batch(client_of_three, made.pages)
    batch = client_of_three.batches.get(made.bucket_id, task.inputs[0]["batch_id"])

    assert task.status == batch.status == "FAILED"
    assert "tier 1: 1 of 1 rows were not stored: 1 no_parts" in task.error
    assert [tier["status"] for tier in batch.tier_tasks] == ["COMPLETED", "FAILED", "SKIPPED"]


def test_a_batch_of_chosen_objects_reaches_only_what_is_made_of_them(client_of_three: Mixpeek) -> None:
    made = Tiers(client_of_three, {"one": "a\n\nb", "two": "c"})

    batch = client_of_three.batches.create(made.bucket_id, [made.objects["one"]])
    submitted = client_of_three.batches.submit(made.bucket_id, batch.batch_id)
    task = client_of_three.tasks.wait(submitted.task_id, timeout_s=60)

    assert task.status == "COMPLETED", task.error
    assert batch.dag_tiers == [[each.collection_id] for each in made.all]
    assert sorted(one["paragraph"] for one in made.documents()[2].values()) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"source": {"type": "collection", "collection_id": "nowhere"}}, 404, "nowhere"),
        ({"source": {"type": "collection"}}, 422, "collection_ids"),
        ({"source": {"type": "cluster", "collection_id": "x"}}, 422, "cluster"),
        ({"schedule": {"trigger_type": "cron"}}, 422, "schedule"),
        ({"mappings": {"text": "pgae"}}, 422, "did you mean 'page'"),
        ({"mappings": {"document_id": "page"}}, 422, "platform fills"),
        ({"mappings": [{"input_key": "text", "source_type": "vector", "path": "page"}]}, 422, "the vector 'page'"),
        ({"mappings": [{"input_key": "text", "source_type": "literal"}]}, 422, "override"),
        ({"mappings": {}}, 422, "input_mappings"),
        ({"passed": ["pakcage"]}, 422, "did you mean 'package'"),
        ({"parameters": {"lines": 0}}, 422, "parameters.lines"),
        ({"filters": {"field": "page", "operator": "near"}}, 422, "did you mean `ne`?"),
    ],
)
def test_what_a_collection_cannot_do_is_refused_by_name(
    tiers: Any, change: dict[str, Any], status: int, words: str
) -> None:
    source = change.get("source", {"type": "collection", "collection_ids": [tiers.pages.collection_id]})
    if "filters" in change:
        source["source_filters"] = {"filters": change["filters"]}
    extractor = {
        "feature_extractor_name": "to_paragraphs",
        "input_mappings": change.get("mappings", {"text": "page"}),
        "field_passthrough": change.get("passed", []),
        "parameters": change.get("parameters", {}),
    }
    more = {"schedule": change["schedule"]} if "schedule" in change else {}

    with pytest.raises(ApiError) as refused:
        tiers.client.collections.create(unique("refused"), source, extractor, **more)

    assert refused.value.status == status
    assert words in f"{refused.value} {refused.value.hint}"


def test_a_collection_that_others_read_is_not_deleted_before_them(server: Server, client_of_three: Mixpeek) -> None:
    made = Tiers(client_of_three, {"one": "text"})

    refused = send(server, client_of_three, "DELETE", made.chunks.collection_id)
    ended = [send(server, client_of_three, "DELETE", each.collection_id) for each in reversed(made.all)]

    assert made.vectors.collection_name in refusal(refused, 409, "ConflictError")["message"]
    assert [one.status_code for one in ended] == [200, 200, 200]


def test_a_collection_is_renamed_disabled_and_cloned_but_its_source_stays(
    server: Server, client_of_three: Mixpeek
) -> None:
    made = Tiers(client_of_three, {"one": "text"})
    name, client = unique("renamed"), client_of_three
    wanted = {"collection_name": name, "enabled": False, "metadata": {"team": "a"}}

    changed = send(server, client, "PATCH", made.vectors.collection_id, wanted).json()
    moved = send(server, client, "PATCH", name, {"source": {"type": "bucket", "bucket_ids": [made.bucket_id]}})
    taken = send(server, client, "PATCH", name, {"collection_name": made.pages.collection_name})
    disabled = send(server, client, "POST", f"{name}/trigger", {})
    triggered = client.collections.trigger(made.pages.collection_id)
    cloned = send(server, client, "POST", f"{name}/clone", {"collection_name": unique("cloned"), "enabled": True})
    replaced = send(server, client, "PUT", name, {"description": "all else as new"}).json()

    assert wanted.items() <= changed.items()
    assert "`source`" in refusal(moved, 422, "ValidationError")["message"]
    assert made.pages.collection_name in refusal(taken, 409, "AlreadyExistsError")["message"]
    assert "enabled" in refusal(disabled, 409, "ConflictError")["hint"]
    assert triggered.total_tiers == 2, "what is disabled is not filled"
    assert cloned.json()["collection"]["source"]["collection_ids"] == [made.chunks.collection_id]
    stages = cloned.json()["collection"]["source_lineage"]
    assert [stage["source_config"]["type"] for stage in stages] == ["bucket", "collection", "collection"]
    assert (replaced["metadata"], replaced["enabled"], replaced["collection_name"]) == ({}, True, name)


def test_a_collection_that_follows_the_active_version_is_built_anew_beside_what_is_searched(
    client_of_three: Mixpeek, tmp_path: Path
) -> None:
    client = client_of_three
    follows, pinned = unique("follows"), "1.0.0"
    publish(client, write_plugin(tmp_path / "one" / follows))
    bucket_id = client.buckets.create(unique("files"), {"properties": {"content": {"type": "text"}}}).bucket_id
    client.objects.create_batch(
        bucket_id, [{"blobs": [{"property": "content", "type": "text", "data": f"text {n}"}]} for n in range(3)]
    )
    [free, fixed] = [
        client.collections.create(
            unique("collection"),
            {"type": "bucket", "bucket_ids": [bucket_id]},
            {"feature_extractor_name": follows, "version": version, "field_passthrough": ["content"]},
        )
        for version in (None, pinned)
    ]
    reader = client.collections.create(
        unique("reader"),
        {"type": "collection", "collection_ids": [free.collection_id]},
        {"feature_extractor_name": "small_words", "input_mappings": {"text": "content"}},
    )
    assert [run_batch(client, each).status for each in (free, fixed)] == ["COMPLETED", "COMPLETED"]
    before = {one["document_id"] for one in all_documents(client, free)}
    later = write_plugin(tmp_path / "two" / follows, version="2.0.0", dimension=4)
    client.plugins.deploy(publish(client, later, version="2.0.0"), batch_only=True)
    chosen = client.objects.list(bucket_id)["results"][0]["object_id"]

    partial = client.batches.submit(bucket_id, client.batches.create(bucket_id, [chosen]).batch_id)
    client.tasks.wait(partial.task_id, timeout_s=60)
    kept = client.collections.get(free.collection_id)
    tasks = [run_batch(client, each) for each in (free, fixed)]

    after = [client.collections.get(each.collection_id) for each in (free, fixed)]
    assert (kept.schema_version, kept.document_count) == (1, 3), "a batch of some objects stays with what is there"
    assert [task.status for task in tasks] == ["COMPLETED", "COMPLETED"]
    used = [each.feature_extractor["feature_extractor_id"] for each in after]
    assert used == [f"{follows}_2_0_0", f"{follows}_1_0_0"]
    assert [each.vector_indexes[0]["dimensions"] for each in after] == [4, 8]
    assert [(each.schema_version, each.document_count) for each in after] == [(2, 3), (1, 3)]
    documents = all_documents(client, free, return_vectors=True)
    assert {one["document_id"] for one in documents} == before
    assert {len(one["words_vector"]) for one in documents} == {4}
    chains = [one["_internal"]["lineage"]["chain"] for one in all_documents(client, reader)]
    assert {chain[0]["feature_extractor_id"] for chain in chains} == {f"{follows}_2_0_0"}
    assert len(chains) == 3
