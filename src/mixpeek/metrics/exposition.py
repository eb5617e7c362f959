"""Puts together what one API process tells, in the format that whoever scrapes it asks for."""

from __future__ import annotations

import itertools
import platform
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mixpeek import __version__
from mixpeek.metrics.families import FAMILIES, PREFIX, Family, Sample, Samples
from mixpeek.metrics.hosts import HostUsage
from mixpeek.metrics.platform import PlatformReader
from mixpeek.metrics.versions import Seen, samples_of_versions
from mixpeek.serving.tally import Histogram, Requests

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Exposition:
    """What `GET /metrics` answers; what it reads from the kernel and the database it reads one scrape at a time."""

    def __init__(self, reader: PlatformReader, unrouted: Requests) -> None:
        self._reader = reader
        self._unrouted = unrouted
        self._hosts = HostUsage()
        self._reading = threading.Lock()

    def render(self, versions: list[Seen], accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type: OpenMetrics for who accepts it, else Prometheus's text format.

        Called from a thread: it waits for the database.
        """
        # Here, not at the start of the server: nobody may ever ask.
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        with self._reading:
            samples = self._samples(versions)
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(_Collected(samples))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def _samples(self, versions: list[Seen]) -> Samples:
        samples: Samples = defaultdict(list)
        parts = (
            samples_of_versions(versions),
            self._hosts.samples(versions),
            self._reader.samples({seen.served.namespace_id for seen in versions}),
            self._own_samples(),
        )
        for name, found in itertools.chain.from_iterable(part.items() for part in parts):
            samples[name] += found
        return samples

    def _own_samples(self) -> Samples:
        return {
            "inference_unrouted_total": [((str(code),), n) for code, n in sorted(self._unrouted.codes.copy().items())],
            "build_info": [((__version__, platform.python_version()), 1)],
        }


class _Collected:
    """Samples, as prometheus_client collects them."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            yield _metric_from(family, self._samples.get(family.name, ()))


def _metric_from(family: Family, samples: Iterable[Sample]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    name, words, labels = PREFIX + family.name, family.words, family.labels
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(name, words, labels=labels)
        for values, value in samples:
            assert isinstance(value, Histogram)
            histogram.add_metric(values, buckets=buckets(value), sum_value=value.total)
        return histogram
    made = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(name, words, labels=labels)
    for values, value in samples:
        assert not isinstance(value, Histogram)
        made.add_metric(values, value)
    return made


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the counts at or below each bound, as Prometheus has them."""
    bounds = [*(repr(bound) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
