"""`GET /metrics` of a real server: every request counted once, crashes told, nothing left of what is gone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from factories.platform import bucket_with, collection_of, publish, search
from factories.plugins import MakePlugin
from factories.servers import API_KEY, Server
from factories.waiting import until
from mixpeek import Mixpeek
from mixpeek.metrics.families import FAMILIES, PREFIX

PREDICT = """
    if request["text"] == "raise":
        raise ValueError("not this text")
    if request["text"] == "exit":
        import os
        os._exit(5)
    return {"embedding": embed(request["text"]).tolist()}
"""
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(server: Server, accept: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_KEY}", "Accept": accept}
    return httpx.get(f"{server.url}/metrics", headers=headers, timeout=30).raise_for_status()


def told_of(server: Server, namespace: str | None) -> dict[str, Any]:
    """Return what is told of a namespace's only version: values by name, and by the labels that are left, if any."""
    told: dict[str, Any] = {}
    for family in parse(scrape(server).text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if labels.pop("namespace", None) != namespace or "le" in labels:
                continue
            rest = tuple(value for name, value in sorted(labels.items()) if name not in ("plugin", "version"))
            told[sample.name + "".join(f" {value}" for value in rest)] = sample.value
    return told


def test_what_was_asked_is_counted_and_what_is_deleted_is_forgotten(
    server: Server, http: httpx.Client, client: Mixpeek, make_plugin: MakePlugin
) -> None:
    plugin_id = publish(client, make_plugin("words", predict=PREDICT), deploy=True)
    collection = collection_of(client, bucket_with(client, ["some text"]), "words")
    first = told_of(server, client.namespace)

    def ask(text: str) -> int:
        body = {"inference_name": "words", "inputs": {"text": text}}
        return http.post("/inference", json=body).status_code

    statuses = Counter(ask(text) for text in ["good"] * 7 + ["raise"] * 3 + ["exit"])
    path = f"/namespaces/{client.namespace}/plugins/{plugin_id}"
    for text in ("good", "raise"):
        assert http.post(f"{path}/realtime/test", json={"inputs": {"text": text}}).status_code == 200
    search(client, collection, "good")
    unknown = http.post("/inference", json={"inference_name": "nothing_here", "inputs": {}})
    told = until(
        lambda: (found := told_of(server, client.namespace))["mixpeek_plugin_replicas ready"] == 1 and found,
        what="the replica that crashed is replaced",
    )

    assert first["mixpeek_plugin_requests_total 200 inference"] == 0
    assert first["mixpeek_plugin_replicas ready"] == first["mixpeek_plugin_replicas_wanted"] == 1
    assert statuses == {200: 7, 500: 4}
    assert unknown.status_code == 404
    expected = {
        "mixpeek_plugin_requests_total 200 inference": 7,
        "mixpeek_plugin_requests_total 500 inference": 4,
        "mixpeek_plugin_requests_total 200 test": 1,
        "mixpeek_plugin_requests_total 500 test": 1,
        "mixpeek_plugin_requests_total 200 retriever": 1,
        "mixpeek_plugin_request_duration_seconds_count inference": 11,
        "mixpeek_plugin_request_duration_seconds_count test": 2,
        "mixpeek_plugin_request_duration_seconds_count retriever": 1,
        "mixpeek_plugin_batch_size_count": 9,
        "mixpeek_plugin_batch_size_sum": 9,
        # The request that ends a host is given a second one.
        "mixpeek_plugin_restarts_total": 2,
        "mixpeek_plugin_start_duration_seconds_count": 3,
        "mixpeek_plugin_start_failures_total": 0,
        "mixpeek_plugin_requests_queued": 0,
        "mixpeek_plugin_requests_in_flight": 0,
    }
    assert {name: told[name] for name in expected} == expected
    assert told["mixpeek_plugin_cpu_seconds_total"] > first["mixpeek_plugin_cpu_seconds_total"]
    assert told["mixpeek_plugin_resident_memory_bytes"] > 10 * 1024**2
    assert told["mixpeek_plugin_start_duration_seconds_sum"] > 0

    client.plugins.delete(plugin_id, force=True)
    until(lambda: not told_of(server, client.namespace), what="nothing is told of what is gone")


def test_the_platform_is_told_too_in_the_names_that_are_documented(server: Server) -> None:
    plain, open_metrics = scrape(server), scrape(server, OPENMETRICS)

    found = {family.name: family for family in parse(plain.text)}
    expected = {PREFIX + family.name.removesuffix("_total"): family for family in FAMILIES}
    assert {name for name in found if name.startswith(PREFIX)} == expected.keys()
    for name, family in expected.items():
        assert (found[name].type, found[name].documentation) == (family.kind, family.words)
    values = {(s.name, *s.labels.values()): s.value for family in found.values() for s in family.samples}
    assert values["mixpeek_database_up",] == 1
    assert values["mixpeek_processes", "worker"] == 1
    assert values["process_resident_memory_bytes",] > 10 * 1024**2
    assert open_metrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in parse_openmetrics(open_metrics.text)} >= expected.keys()
