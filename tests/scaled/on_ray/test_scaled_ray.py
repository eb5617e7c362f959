"""Plugins on a real Ray cluster, behind a real server: batches and requests, and the loss of a node under both."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest
from scripts.scaled.cluster import RayCluster, count_hosts

from factories.commands import run_command
from factories.platform import all_documents, bucket_with, collection_of, deployed, publish, run_batch
from factories.plugins import write_plugin
from factories.servers import MakeServer, Server
from factories.waiting import until
from mixpeek.errors import MixpeekError
from mixpeek.execution.ray.probe import probe

SLOW = """
    import time

    time.sleep(0.01 * len(batch))
    batch[FEATURE] = column_of(batch["data"])
"""
# The gate's host, and later the replica, are so long about it that a node can be killed under them.
LOADING = """
    import time

    time.sleep(3)
"""
PROFILE = 'compute_profile = {"batch_size": 16, "max_concurrency": 2, "actor_memory_gb": 0.5}'


def check_a_batch_and_a_request(server: Server, folder: Path) -> None:
    with server.client() as client:
        publish(client, write_plugin(folder / "ray_words", manifest=PROFILE), deploy=True)
        bucket_id = bucket_with(client, [f"text {number}" for number in range(100)])
        collection = collection_of(client, bucket_id, "ray_words")

        task = run_batch(client, collection)
        answer = client.inference.ask("ray_words", {"text": "text 7"})

        assert task.status == "COMPLETED", task
        stored = all_documents(client, collection, return_vectors=True)
        assert len(stored) == 100
        (seventh,) = [each for each in stored if each["content"] == "text 7"]
        assert answer["output"]["embedding"] == pytest.approx(seventh["words_vector"], abs=1e-5)


def test_a_server_with_a_cluster_of_its_own_runs_batches_and_answers(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(execution="ray:local")

    check_a_batch_and_a_request(server, tmp_path)

    members = psutil.Process(server.pid).children(recursive=True)
    assert server.stop(within_s=60) == 0
    psutil.wait_procs(members, timeout=20)
    assert [each for each in members if each.is_running()] == []


def test_a_server_reaches_a_cluster_that_its_machine_is_no_part_of(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(execution=f"ray://127.0.0.1:{cluster.client_port}")

    check_a_batch_and_a_request(server, tmp_path)
    assert server.stop(within_s=60) == 0


def test_a_client_is_let_in_when_the_first_server_that_was_to_be_its_own_dies(cluster: RayCluster) -> None:
    killed: list[int] = []

    def kill_the_first() -> None:
        (starting,) = until(cluster.client_servers, what="the cluster starts a server for the client")
        starting.kill()
        killed.append(starting.pid)

    killing = threading.Thread(target=kill_the_first)
    killing.start()
    # The cluster itself takes a minute to say so.
    counted = probe(f"ray://127.0.0.1:{cluster.client_port}", within_s=150)
    killing.join()

    assert len(killed) == 1
    assert counted == {"machines": 3, "cpus": 4, "gpus": 0}


def test_doctor_counts_what_a_cluster_has(cluster: RayCluster, tmp_path: Path) -> None:
    ran = run_command("doctor", cwd=tmp_path, MIXPEEK_EXECUTION=f"ray:{cluster.address}")

    assert f"{cluster.address}: 3 machines, 4 CPUs, 0 GPUs" in ran.out


def test_a_batch_whose_node_is_killed_stores_every_row_once(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(execution=f"ray:{cluster.address}", batch_hosts="2", chunk_rows="32")
    with server.client() as client:
        publish(client, write_plugin(tmp_path / "ray_words", batch=SLOW, manifest=PROFILE), deploy=False)
        texts = [f"text {number}" for number in range(1000)]
        collection = collection_of(client, bucket_with(client, texts), "ray_words")
        triggered = client.collections.trigger(collection.collection_id)

        until(lambda: all_documents(client, collection), what="a chunk is committed", within_s=90)
        hosting = cluster.hosting()
        cluster.kill(hosting[0])
        task = client.tasks.wait(triggered.task_id, timeout_s=120, poll_s=0.2)

        assert len(hosting) == 2, "its hosts are spread over the nodes"
        assert task.status == "COMPLETED", task
        assert sorted(each["content"] for each in all_documents(client, collection)) == sorted(texts)
        assert "runs" in server.log.read_text() and "was lost" in server.log.read_text()


def test_a_batch_takes_more_hosts_when_a_node_is_added_under_it(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(execution=f"ray:{cluster.address}", chunk_rows="32")
    with server.client() as client:
        wide = PROFILE.replace('"max_concurrency": 2', '"max_concurrency": 6')
        publish(client, write_plugin(tmp_path / "ray_words", batch=SLOW, manifest=wide), deploy=False)
        texts = [f"text {number}" for number in range(10_000)]
        collection = collection_of(client, bucket_with(client, texts), "ray_words")
        triggered = client.collections.trigger(collection.collection_id)
        until(lambda: sum(map(count_hosts, cluster.raylets)) == 4, what="all four processors work", within_s=90)

        cluster.add_node()
        until(lambda: sum(map(count_hosts, cluster.raylets)) == 6, what="as many more as it brought", within_s=90)
        bucket_id = collection.source["bucket_ids"][0]
        client.batches.cancel(bucket_id, triggered.batch_id)


def test_requests_go_on_when_the_node_of_a_replica_is_killed(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(execution=f"ray:{cluster.address}")
    with server.client() as client:
        manifest = PROFILE + '\nserve_config = {"num_replicas": 2, "num_cpus": 0.5, "memory_gb": 0.5}'
        publish(client, write_plugin(tmp_path / "ray_words", manifest=manifest), deploy=True)
        until(lambda: len(cluster.hosting()) == 2, what="both nodes have a replica", within_s=60)
        failures: list[Exception] = []
        answered = 0
        is_over = threading.Event()

        def ask() -> None:
            nonlocal answered
            while not is_over.is_set():
                try:
                    client.inference.ask("ray_words", {"text": "again"})
                    answered += 1
                except MixpeekError as error:
                    failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: answered > 20, what="requests are answered")
        lost = cluster.hosting()[0]
        cluster.kill(lost)
        before = answered
        until(lambda: answered > before + 50, what="requests are still answered")
        left = [raylet for raylet in cluster.raylets if raylet != lost]
        until(lambda: sum(count_hosts(each) for each in left) == 2, what="another took its place", within_s=60)
        is_over.set()
        asking.join()

        assert failures == []


def test_a_rollout_whose_gate_loses_its_node_goes_on_in_a_host_on_another(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(execution=f"ray:{cluster.address}")
    with server.client() as client:
        plugin_id = publish(client, write_plugin(tmp_path / "ray_words", manifest=PROFILE, construct=LOADING))
        until(lambda: not cluster.hosting(), what="the hosts that examined it have ended", within_s=30)

        client.plugins.deploy(plugin_id)
        gated = until(cluster.hosting, what="the gate has a host", within_s=60)
        assert gated[0] in cluster.raylets[1:], "nothing runs on a head without processors"
        cluster.kill(gated[0])
        status = client.plugins.wait(plugin_id, timeout_s=120, poll_s=0.2)

        assert status.status == "DEPLOYED", f"{status}\n{server.log.read_text()[-4000:]}"
        answer = client.inference.ask("ray_words", {"text": "text 7"})
        assert len(answer["output"]["embedding"]) > 0
        assert "is tried again: " in server.log.read_text()


def test_a_host_for_which_no_machine_is_large_enough_says_so(
    cluster: RayCluster, make_server: MakeServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    server = make_server(execution=f"ray:{cluster.address}", ray_placement_s="8", ray_cache_dir=str(cache))
    with server.client() as client:
        manifest = 'serve_config = {"num_cpus": 64, "memory_gb": 0.5}'
        plugin_id = publish(client, write_plugin(tmp_path / "ray_words", manifest=manifest))

        status = deployed(client, plugin_id)

        assert status.status == "FAILED"
        assert "none of its 2 machines is that large" in status.error
        assert len([path for path in cache.iterdir() if not path.name.startswith(".")]) == 1, "by its hash, once"
