"""The calls of the official Python SDK, made from its own environment, parse every answer of this server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from factories.platform import bucket_with, collection_of, publish, retriever_over, run_batch, unique
from factories.plugins import FEATURE, MakePlugin, zip_of
from factories.servers import API_KEY, Server, surroundings
from mixpeek import Mixpeek

ROOT = Path(__file__).parents[2]
CALLS = Path(__file__).with_name("official_sdk_calls.py")
DATA_CALLS = CALLS.with_name("official_sdk_data_calls.py")
BUCKET_CALLS = CALLS.with_name("official_sdk_bucket_calls.py")
PROCESS = CALLS.with_name("official_sdk_process.py")
RETRIEVER_CALLS = CALLS.with_name("official_sdk_retriever_calls.py")


SeenBySdk = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def official_sdk() -> Iterator[SeenBySdk]:
    """Runs a file of calls with its arguments and returns what the SDK saw; its environment is made on first use."""
    made = subprocess.run(
        [ROOT / "scripts" / "official-sdk", ROOT / ".venv" / "official-sdk"],
        env=surroundings(PYTHON=sys.executable, PYTHONPATH=""),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    with subprocess.Popen(
        [made.stdout.strip(), PROCESS],
        env=surroundings(PYTHONPATH=""),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(calls: Path, *arguments: str | Path) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([str(each) for each in (calls, *arguments)]), file=process.stdin, flush=True)
            too_long = threading.Timer(120, process.kill)
            too_long.start()
            answer = process.stdout.readline()
            too_long.cancel()
            assert answer, "the SDK's process ended, or did not answer for two minutes"
            told = json.loads(answer)
            assert "saw" in told, told["failed"]
            saw: dict[str, Any] = told["saw"]
            return saw

        yield run


def test_every_plugin_call_parses_our_answers(
    official_sdk: SeenBySdk, server: Server, client: Mixpeek, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    name = unique("official")
    archives = [tmp_path / "first.zip", tmp_path / "later.zip"]
    for archive, version in zip(archives, ("1.0.0", "1.1.0"), strict=True):
        archive.write_bytes(zip_of(make_plugin(name, into=version, version=version)))
    plugin_id, uri = f"{name}_1_0_0", f"mixpeek://{name}@1.0.0/{FEATURE}"

    saw = official_sdk(CALLS, server.url, API_KEY, client.namespace or "", name, *archives)

    assert (saw["place"]["version"], saw["published"]["plugin_id"]) == ("1.0.0", plugin_id)
    assert (saw["published"]["validation_status"], saw["published"]["validation_errors"]) == ("passed", [])
    assert (saw["queued"]["status"], saw["status"]["status"]) == ("queued", "DEPLOYED")
    assert (saw["tested"]["status"], saw["tested"]["response_keys"]) == ("success", ["embedding"])
    assert (saw["model_sent"]["model_id"], saw["model_deployed"]["cached"]) == ("official_net_1_0_0", True)
    assert (saw["model"]["model"]["deployed"], saw["models"]["total"]) == (True, 1)
    assert saw["model_deleted"]["model_id"] == "official_net_1_0_0"
    assert [plugin["plugin_id"] for plugin in saw["listed"]["plugins"]] == [f"{name}_1_1_0", plugin_id]
    assert (saw["detail"]["plugin"]["deployed"], saw["detail"]["plugin"]["manifest"]["feature_uri"]) == (True, uri)
    assert saw["same_bytes"]
    assert (saw["reconfigured"]["status"], saw["reconfigured"]["vectors_added"]) == ("reconfigured", [uri])
    assert saw["torn_down"]["deployed"] is False
    assert (saw["deleted"]["success"], saw["refused"]) == (True, 404)
    assert saw["sent"]["plugin_id"] == f"{name}_1_1_0"
    assert saw["shared_published"]["plugin_id"] == plugin_id
    assert plugin_id in saw["shared_listed"]
    assert saw["shared_detail"]["plugin"]["code_hash"] == saw["detail"]["plugin"]["code_hash"]
    assert (saw["enabled"]["deployment_status"], saw["available"][plugin_id]) == ("skipped", True)
    assert saw["disabled"]["success"]
    assert saw["shared_deleted"]["success"]
    assert saw["extractors"]["total"] == len(saw["extractors"]["extractors"])
    assert saw["extractor"] == saw["extractors"]["extractors"][0]
    assert saw["extractor"]["required_vector_indexes"][0]["index"]["dimensions"] > 0
    assert [found["feature_extractor_name"] for found in saw["builtins"]] == ["text_extractor"]
    assert saw["builtin"] == saw["builtins"][0]
    hook = saw["webhook"]
    assert hook["is_listed"]
    assert (hook["created"]["is_active"], hook["updated"]["is_active"]) == (True, False)
    assert hook["updated"]["webhook_id"] == hook["created"]["webhook_id"]
    assert hook["updated"]["channels"] == hook["created"]["channels"]
    assert hook["created"]["channels"][0]["configs"]["url"] == "http://127.0.0.1:9/"
    secrets = saw["secrets"]
    assert secrets["created"] == {"secret_name": name, "created": True}
    assert name in secrets["listed"]["secrets"]
    assert secrets["listed"]["count"] == len(secrets["listed"]["secrets"])
    assert secrets["updated"] == {"secret_name": name, "updated": True}
    assert secrets["deleted"] == {"secret_name": name, "deleted": True}


def test_every_call_on_documents_tasks_and_namespaces_parses_our_answers(
    official_sdk: SeenBySdk, server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("official_words"))
    bucket_id = bucket_with(client, ["apple", "pear", "car"], topics=["fruit", "fruit", "thing"])
    collection = collection_of(client, bucket_id, "official_words", field_passthrough=["content", "topic"])
    task_id = client.collections.trigger(collection.collection_id).task_id
    client.tasks.wait(task_id, timeout_s=90)
    retriever_over(client, collection)

    saw = official_sdk(DATA_CALLS, server.url, API_KEY, client.namespace or "", collection.collection_id, task_id)

    documents = saw["documents"]
    assert [found["content"] for found in documents["first"]["results"]] == ["pear"]
    assert documents["first"]["pagination"]["total"] == 2
    assert {group["group_key"]: group["count"] for group in documents["grouped"]["groups"]} == {"fruit": 2, "thing": 1}
    assert len(documents["one"][FEATURE]) > 0
    assert (documents["patched"]["note"], documents["put"]["note"]) == (1, 2)
    assert (documents["bulk"]["updated_count"], documents["batch"]["results"][0]["success"]) == (1, True)
    assert {"group": {"topic": "fruit"}, "metrics": {"n": 2}} in documents["aggregated"]["results"]
    assert documents["lineage"]["root_bucket_id"] == bucket_id
    assert (documents["removed"]["deleted_count"], documents["removed"]["failed_count"]) == (1, 1)
    assert documents["deleted"]["success"]
    tasks = saw["tasks"]
    assert (tasks["one"]["status"], tasks["killed"]["success"]) == ("COMPLETED", True)
    assert [task["task_id"] for task in tasks["listed"]["results"]] == [task_id]
    namespaces = saw["namespaces"]
    assert (namespaces["one"]["document_count"], namespaces["patched"]["description"]) == (3, "by the SDK")
    assert (namespaces["put"]["payload_indexes"], namespaces["listed"]["total_count"]) == ([], 1)
    short = saw["short"]
    assert (short["deleted"]["success"], short["bucket"]["bucket_name"]) == (True, "short")
    assert short["listed"]
    assert (short["page"]["pagination"]["page_size"], short["updated"]["short"]) == (1, True)
    assert (short["batch"]["updated_count"], short["document"]["short"]) == (1, False)
    assert short["retrievers"]["total"] == 1


def test_every_call_on_buckets_objects_collections_and_batches_parses_our_answers(
    official_sdk: SeenBySdk, server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("official_words"))

    saw = official_sdk(BUCKET_CALLS, server.url, API_KEY, client.namespace or "", "official_words")

    buckets = saw["buckets"]
    assert (buckets["one"]["bucket_name"], buckets["one"]["metadata"]) == ("official", {"by": "the SDK"})
    assert (buckets["patched"]["description"], buckets["put"]["bucket_name"]) == ("patched", "put")
    assert [each["bucket_name"] for each in buckets["listed"]["results"]] == ["official"]
    assert (buckets["listed"]["total_count"], buckets["deleted"]["success"]) == (1, True)
    objects = saw["objects"]
    assert (objects["made"]["succeeded_count"], objects["made"]["failed_count"]) == (2, 0)
    assert (objects["patched"]["topic"], objects["put"]["blobs"][0]["property"]) == ("sweet", "content")
    assert [each["object_id"] for each in objects["chosen"]["results"]] == [objects["one"]["object_id"]]
    assert (objects["chosen"]["pagination"]["total"], objects["listed"]["pagination"]["total"]) == (1, 2)
    uploads = saw["uploads"]
    assert uploads["place"]["presigned_url_expiration"] == 3600
    assert (uploads["confirmed"]["status"], uploads["one"]["object_id"]) == (
        "COMPLETED",
        uploads["confirmed"]["object_id"],
    )
    assert uploads["listed"]["stats"]["uploads_by_status"] == {"COMPLETED": 1}
    collections = saw["collections"]
    assert collections["made"]["source_lineage"][0]["feature_extractor"]["version"] == "1.0.0"
    assert (collections["triggered"]["object_count"], collections["ended"]["status"]) == (3, "COMPLETED")
    assert (collections["one"]["document_count"], collections["updated"]["description"]) == (2, "by the SDK")
    assert collections["clone"]["collection"]["collection_name"] == "a_clone"
    assert (collections["listed"]["total_count"], collections["deleted"]["success"]) == (1, True)
    batches = saw["batches"]
    assert (batches["draft"]["status"], len(batches["added"]["object_ids"])) == ("DRAFT", 2)
    assert (batches["ended"]["status"], batches["one"]["status"], batches["failed"]["total"]) == (
        "COMPLETED",
        "COMPLETED",
        0,
    )
    assert (batches["cancelled"]["status"], batches["listed"]["total_count"]) == ("CANCELED", 1)
    assert batches["deleted"]["success"]
    short = saw["short"]
    assert (short["buckets"]["total_count"], short["collections"]["total_count"]) == (2, 2)
    assert [each["object_id"] for each in short["objects"]["results"]] == [short["put"]["object_id"]]
    assert short["triggered"]["object_count"] == 1
    assert [each["success"] for each in short["deleted"]] == [True, True]


def test_every_call_on_retrievers_parses_our_answers(
    official_sdk: SeenBySdk, server: Server, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    publish(client, make_plugin("official_search"))
    bucket_id = bucket_with(client, ["apple", "pear", "car"], topics=["fruit", "fruit", "thing"])
    collection = collection_of(client, bucket_id, "official_search", field_passthrough=["content", "topic"])
    assert run_batch(client, collection).status == "COMPLETED"
    uri = collection["vector_indexes"][0]["feature_uri"]

    saw = official_sdk(RETRIEVER_CALLS, server.url, API_KEY, client.namespace or "", collection.collection_id, uri)

    calls = saw["generated"]
    assert calls["made"]["retriever"]["feature_dependencies"][0]["output"] == FEATURE
    assert calls["got"]["retriever_name"] == "official"
    assert (calls["patched"]["retriever"]["version"], calls["patched"]["retriever"]["tags"]) == (2, ["b"])
    assert (calls["listed"]["total"], calls["listed_get"]["total"]) == (1, 1)
    assert calls["cloned"]["source_retriever_id"] == calls["made"]["retriever"]["retriever_id"]
    assert calls["cloned"]["retriever"]["stages"] == calls["made"]["retriever"]["stages"]
    for executed, detail in zip(calls["executed"], calls["details"], strict=True):
        assert executed["documents"][0]["content"] == "pear"
        assert (detail["status"], len(detail["documents"])) == ("completed", 2)
        assert detail["stage_statistics"]["stages"]["search"]["output_count"] == 3
    assert calls["explained"]["execution_plan"][0]["stage_name"] == "search"
    assert calls["deleted"]["success"]
    assert saw["ad_hoc"]["documents"][0]["content"] == "pear"
    assert {"feature_search", "rerank", "mmr"} <= {stage["stage_id"] for stage in saw["stages"]}
    assert saw["parameters"] == ["apple", "pear"]
    short = saw["short"]
    assert short["executed"]["results"][0]["content"] == "pear"
    assert short["executed"]["warnings"][0].startswith("`settings`")
    assert short["searched"]["documents"][0]["content"] == "pear"
    assert [found["content"] for found in short["filtered"]["documents"]] == ["car"]
