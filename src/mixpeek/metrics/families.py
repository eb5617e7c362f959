"""Every metric by name: its kind, its labels, what it says; nothing else is exposed, and the docs list the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mixpeek.serving.tally import Histogram

PREFIX = "mixpeek_"
Kind = Literal["counter", "gauge", "histogram"]

# Label values, in the order of the family's labels, and what was counted for them.
Sample = tuple[tuple[str, ...], float | Histogram]
Samples = dict[str, list[Sample]]


@dataclass(frozen=True)
class Family:
    """One metric; `name` is without the prefix and, for a counter, ends in `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    words: str

    @property
    def full_name(self) -> str:
        return PREFIX + self.name


_VERSION = ("namespace", "plugin", "version")

FAMILIES = (
    # One series per version that has hosts in this process; they end with the last of its hosts.
    Family("plugin_requests_total", "counter", (*_VERSION, "source", "code"), "Requests answered, by HTTP status."),
    Family("plugin_request_duration_seconds", "histogram", (*_VERSION, "source"), "From request to answer."),
    Family("plugin_batch_size", "histogram", _VERSION, "Requests that one call of the plugin answered, per call."),
    Family("plugin_requests_queued", "gauge", _VERSION, "Requests that wait for a replica."),
    Family("plugin_requests_in_flight", "gauge", _VERSION, "Requests that a replica has and has not answered."),
    Family("plugin_replicas", "gauge", (*_VERSION, "state"), "Replicas that are ready, and that are starting."),
    Family("plugin_replicas_wanted", "gauge", _VERSION, "Replicas there should be."),
    Family("plugin_restarts_total", "counter", _VERSION, "Replicas replaced because their host ended."),
    Family("plugin_start_duration_seconds", "histogram", _VERSION, "Cold starts: until a replica could answer."),
    Family("plugin_start_failures_total", "counter", _VERSION, "Replicas that did not start."),
    Family("plugin_resident_memory_bytes", "gauge", _VERSION, "Resident memory of the hosts, shared pages included."),
    Family("plugin_cpu_seconds_total", "counter", _VERSION, "Processor time of the hosts."),
    Family("plugin_info", "gauge", (*_VERSION, "plugin_id", "code_hash"), "Always 1: which code a version is."),
    Family("namespace_info", "gauge", ("namespace", "namespace_name"), "Always 1: the name of a namespace."),
    # This process.
    Family("inference_unrouted_total", "counter", ("code",), "Requests to the inference route that reached no plugin."),
    Family("build_info", "gauge", ("version", "python"), "Always 1: the program that answers."),
    Family("database_up", "gauge", (), "1 if the database answered this scrape; 0 leaves out what it would tell."),
    # The database: the same on every API process.
    Family("processes", "gauge", ("role",), "Processes with a heartbeat in the last 10 s."),
    Family("deployments_live", "gauge", (), "Plugins that answer realtime requests; one with a canary counts once."),
    Family("deployments_under_way", "gauge", ("status",), "Rollouts that have not ended."),
    Family("deployments_total", "counter", ("action", "type", "outcome"), "Rollouts that have ended."),
    Family("deployment_phase_duration_seconds", "histogram", ("phase",), "Phases of rollouts that have ended."),
    Family("tasks_open", "gauge", ("workflow", "status"), "Tasks that have not ended."),
    Family("tasks_total", "counter", ("workflow", "status"), "Tasks that have ended."),
    Family("outbox_tasks", "gauge", (), "Tasks that no worker has taken yet."),
    Family("outbox_oldest_age_seconds", "gauge", (), "How long the oldest of them waits; 0 if there is none."),
    Family("batch_rows_total", "counter", ("outcome",), "Rows of batches committed, by what became of them."),
    Family("batch_chunks_total", "counter", (), "Chunks of batches committed."),
)
BY_NAME = {family.name: family for family in FAMILIES}
