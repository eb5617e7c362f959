"""What a host reserves of a cluster, and what to say where no machine has that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mixpeek.execution.port import GIB, HostSpec

# A worker runs two batches side by side, and each has hosts for all of the processors it may use.
BATCH_CPUS = 0.5


@dataclass(frozen=True)
class Reservation:
    """Processors, GPUs and bytes of memory that one host takes from its machine's; an actor's options."""

    cpus: float = 0.0
    gpus: float = 0.0
    memory_bytes: int = 0

    def options(self) -> dict[str, Any]:
        """Return it as Ray takes it."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": self.memory_bytes or None}

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU", f"{self.memory_bytes / GIB:.2g} GiB of memory"]
        return " and ".join([*([f"{self.gpus:g} GPU"] if self.gpus else []), *parts])


def reservation_for(spec: HostSpec) -> Reservation:
    """Return what a host reserves: what its manifest declares, else a share of a processor for one of a batch.

    A realtime host without `num_cpus` reserves no processor, as Ray's own actors do: most of them mostly wait.
    """
    is_batch = spec.origin is not None and spec.origin.source == "batch"
    cpus = spec.cpus if spec.cpus is not None else BATCH_CPUS if is_batch else 0.0
    gpus = 0.0 if not spec.gpu else spec.gpus or 1.0
    return Reservation(cpus, gpus, spec.memory_bytes)


def selector_for(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the labels of machines that may have hosts, as Ray takes them; nodes as it lists them.

    A head is given no processors so that nothing runs there: its loss is the cluster's. What reserves none would.
    """
    listed = list(nodes)
    chosen = {node["NodeID"] for node in _for_hosts(listed)}
    spared = sorted(node["NodeID"] for node in listed if node.get("Alive") and node["NodeID"] not in chosen)
    return {"ray.io/node-id": f"!in({','.join(spared)})"} if spared else {}


def _for_hosts(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the living machines that have processors to give away, or all that live if none has."""
    alive = [node for node in nodes if node.get("Alive")]
    return [node for node in alive if node.get("Resources", {}).get("CPU", 0.0) > 0] or alive


def lack_of(wanted: Reservation, nodes: Iterable[Mapping[str, Any]]) -> str:
    """Return in words why there is no room, from the machines as Ray lists them."""
    alive = [node.get("Resources", {}) for node in _for_hosts(nodes)]
    fitting = [
        each
        for each in alive
        if each.get("CPU", 0.0) >= wanted.cpus
        and each.get("GPU", 0.0) >= wanted.gpus
        and each.get("memory", 0.0) >= wanted.memory_bytes
    ]
    if fitting:
        return f"all {len(fitting)} machines that are large enough are full"
    return f"none of its {len(alive)} machines is that large"
