"""A Ray cluster of this process's own, on this machine, which ends with it."""

from __future__ import annotations

import logging

import ray

# Tables do not travel through it; this is the least that Ray takes.
OBJECT_STORE_BYTES = 80 * 1024**2


def start() -> str:
    """Start the cluster, closed to other machines, and return its address; it sets a handler for SIGTERM. Blocks."""
    ray.init(
        "local",
        _node_ip_address="127.0.0.1",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=OBJECT_STORE_BYTES,
    )
    return str(ray.get_runtime_context().gcs_address)


def stop() -> None:
    """End the cluster."""
    ray.shutdown()
