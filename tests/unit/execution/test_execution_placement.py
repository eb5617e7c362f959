"""What a host reserves of a cluster."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mixpeek.execution.port import GIB, HostSpec, LogOrigin
from mixpeek.execution.ray.placement import BATCH_CPUS, Reservation, lack_of, reservation_for, selector_for

SPEC = HostSpec(Path("/plugin"), "plugin", memory_bytes=GIB)
BATCH = dataclasses.replace(SPEC, origin=LogOrigin("ns_1", "plugin_1", "batch"))
REALTIME = dataclasses.replace(SPEC, origin=LogOrigin("ns_1", "plugin_1", "realtime"), background=False)


@pytest.mark.parametrize(
    ("spec", "reserved"),
    [
        (SPEC, Reservation(memory_bytes=GIB)),
        (REALTIME, Reservation(memory_bytes=GIB)),
        (dataclasses.replace(REALTIME, cpus=1.5), Reservation(1.5, memory_bytes=GIB)),
        (BATCH, Reservation(BATCH_CPUS, memory_bytes=GIB)),
        (dataclasses.replace(BATCH, gpu=True), Reservation(BATCH_CPUS, 1.0, GIB)),
        (dataclasses.replace(REALTIME, gpu=True, gpus=0.25), Reservation(0.0, 0.25, GIB)),
        (dataclasses.replace(REALTIME, gpus=1.0), Reservation(memory_bytes=GIB)),
    ],
)
def test_a_host_reserves_what_its_manifest_declares(spec: HostSpec, reserved: Reservation) -> None:
    assert reservation_for(spec) == reserved


def node(*, alive: bool = True, **resources: float) -> dict[str, object]:
    return {"Alive": alive, "Resources": resources}


def test_too_large_for_any_machine_is_told_from_full() -> None:
    nodes = [node(CPU=2, memory=4 * GIB), node(CPU=64, memory=512 * GIB, alive=False)]

    assert lack_of(Reservation(1, memory_bytes=GIB), nodes) == "all 1 machines that are large enough are full"
    assert lack_of(Reservation(4, memory_bytes=GIB), nodes) == "none of its 1 machines is that large"
    assert lack_of(Reservation(gpus=1), nodes) == "none of its 1 machines is that large"


def test_a_reservation_reads_as_words() -> None:
    assert str(Reservation(0.5, 1, 3 * GIB // 2)) == "1 GPU and 0.5 CPU and 1.5 GiB of memory"


def test_hosts_stay_away_from_machines_without_processors() -> None:
    head, worker = {**node(memory=4 * GIB), "NodeID": "aa"}, {**node(CPU=2), "NodeID": "bb"}
    dead = {**node(alive=False), "NodeID": "cc"}

    assert selector_for([head, worker, dead]) == {"ray.io/node-id": "!in(aa)"}
    assert selector_for([worker]) == {}
    assert selector_for([head]) == {}, "no machine has any, so these are all there are"
