"""What hosts on other machines use, added up from what these told last."""

from __future__ import annotations

from mixpeek.execution.port import Told
from mixpeek.metrics.hosts import HostUsage
from mixpeek.metrics.versions import Seen
from mixpeek.serving.replica import Served
from mixpeek.serving.replica_set import Standing
from mixpeek.serving.tally import START_BOUNDS_S, Histogram

SERVED = Served("ns", "words_1_0_0", "words", "1.0.0", "abc", "mixpeek://words@1.0.0", {})
LABELS = ("ns", "words", "1.0.0")


def seen(*told: Told) -> Seen:
    standing = Standing(waiting=0, under_way=0, ready=len(told), starting=0, wanted=1, pids=(), told=told)
    return Seen(SERVED, [standing], {}, {}, Histogram(START_BOUNDS_S), start_failures=0, restarts=0)


def used(usage: HostUsage, *told: Told) -> tuple[float, float]:
    """Return the bytes held and the seconds spent, as a scrape is told."""
    samples = usage.samples([seen(*told)])
    held, spent = samples["plugin_resident_memory_bytes"], samples["plugin_cpu_seconds_total"]
    assert (held[0][0], spent[0][0]) == (LABELS, LABELS)
    return held[0][1], spent[0][1]  # type: ignore[return-value]


def test_hosts_elsewhere_are_added_up_and_one_that_ends_takes_no_time_back() -> None:
    usage = HostUsage()

    assert used(usage, Told(1, 100, 2.0), Told(2, 50, 1.0)) == (150, 3.0)
    assert used(usage, Told(2, 60, 1.5)) == (60, 3.5)
    assert used(usage, Told(2, 60, 1.5), Told(3, 10, 0.25)) == (70, 3.75)
    assert used(usage) == (0, 3.75)
