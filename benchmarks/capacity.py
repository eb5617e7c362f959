"""How many machines a platform of a given size takes, from measured costs of single things: docs/architecture/scale.md.

    capacity.py                     print the tables for the size that the page is about
    capacity.py --documents 1e8     ... for another; `--help` names the rest
    capacity.py --write             put the tables into the page; a test compares the two

Nothing is measured here: each cost names where it was. Plain arithmetic, and one simulation of a queue.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "architecture" / "scale.md"
BEGIN, END = "<!-- made by `benchmarks/capacity.py --write` -->", "<!-- end of what is made -->"
DAY_S = 86_400


@dataclass(frozen=True)
class Cost:
    """A measured figure, its unit, and where it is recorded."""

    value: float
    unit: str
    source: str


UNIT_COSTS = "`benchmarks/unit_costs.py`"
COSTS = {
    "requests an API process answers": Cost(15_000, "a second", "decision 0016"),
    "a host's share of a trivial request": Cost(15, "µs", "decision 0017"),
    "a row of a batch, in the worker": Cost(49, "µs", "decision 0028"),
    "a row of a batch, in PostgreSQL": Cost(50, "µs", "decision 0028"),
    "texts that int8 MiniLM embeds on one core": Cost(95, "a second", "an assumption: put in your model's"),
    "document, written": Cost(76.3, "µs", UNIT_COSTS),
    "document, indexed": Cost(459, "µs", UNIT_COSTS),
    "document, in the database": Cost(5762, "bytes", UNIT_COSTS),
    "document, of that its vector's index": Cost(2048, "bytes", UNIT_COSTS),
    "search of 20,000, 1 connection": Cost(2.45, "ms", UNIT_COSTS),
    "document, dumped": Cost(67.7, "µs", UNIT_COSTS),
    "document, in the dump": Cost(2171, "bytes", UNIT_COSTS),
    "document, restored, indexes built": Cost(232, "µs", UNIT_COSTS),
    "version, published": Cost(204, "ms", UNIT_COSTS),
    "version, in the database": Cost(22118, "bytes", UNIT_COSTS),
    "host without a model, PSS": Cost(13.6, "MB", UNIT_COSTS),
    "api process, PSS": Cost(93.3, "MB", UNIT_COSTS),
}


@dataclass(frozen=True)
class Size:
    """What there is, and what is asked of it."""

    namespaces: float = 1_000
    versions: float = 100_000
    documents: float = 1e9
    requests_per_s: float = 10_000
    searches_per_s: float = 1_000
    deployed: float = 2_000
    # Assumptions that a measurement cannot give.
    busy_share: float = 0.05  # of the deployed plugins have hosts at any moment; the others start on demand
    model_mb: float = 150  # beside a host's own memory: a model, and the libraries that run it
    archive_kb: float = 50
    segments: float = 4  # indexes that one search asks: a collection has 16 at most
    refill_days: float = 30  # in which every document is made anew once
    utilisation: float = 0.5  # see the simulation
    machine_cores: float = 16
    machine_gb: float = 64
    database_gb: float = 256  # of a PostgreSQL machine's memory
    database_tb: float = 4  # of its disk, that one primary may sensibly hold


def cost(name: str) -> float:
    return COSTS[name].value


@dataclass(frozen=True)
class Need:
    """What one component takes: figures, the first limit that it meets, and how it is divided when it does."""

    component: str
    takes: str
    saturates: str
    divided: str
    machines: int


def needs(size: Size) -> list[Need]:
    """Return what each component takes at that size. Pure."""
    room = size.utilisation
    api = math.ceil(size.requests_per_s / (cost("requests an API process answers") * room)) + 1
    model_cores = size.requests_per_s / cost("texts that int8 MiniLM embeds on one core") / room
    busy = size.deployed * size.busy_share
    host_gb = (cost("host without a model, PSS") + size.model_mb) / 1000
    by_memory, by_cores = busy * host_gb / size.machine_gb, model_cores / size.machine_cores
    rows_per_s = size.documents / (size.refill_days * DAY_S)
    batch_cores = rows_per_s / cost("texts that int8 MiniLM embeds on one core")
    workers = math.ceil(rows_per_s * cost("a row of a batch, in the worker") / 1e6 / room) + 1
    stored_tb = size.documents * cost("document, in the database") / 1e12
    graph_gb = size.documents * cost("document, of that its vector's index") / 1e9
    by_disk, by_graph = stored_tb / size.database_tb, graph_gb / (size.database_gb * 0.75)
    searching = size.searches_per_s * size.segments * cost("search of 20,000, 1 connection") / 1000 / room
    by_what = {"disk": by_disk, "graphs in memory": by_graph, "searches": searching / size.machine_cores}
    first = max(by_what, key=lambda what: by_what[what])
    shards = math.ceil(by_what[first])
    held_millions = size.documents / 1e6 / max(by_disk, by_graph)
    writes = rows_per_s * (cost("a row of a batch, in PostgreSQL") + cost("document, indexed")) / 1e6
    versions_gb = size.versions * cost("version, in the database") / 1e9
    return [
        Need(
            "API processes",
            f"{api} at {room:.0%}, one of them to spare; {api * cost('api process, PSS') / 1000:.1f} GB",
            f"at {cost('requests an API process answers'):,.0f} requests/s each, its one core",
            "any request to any process",
            math.ceil(api / size.machine_cores),
        ),
        Need(
            "realtime hosts",
            f"{model_cores:,.0f} cores for the model; {busy:,.0f} plugins awake, {busy * host_gb:,.0f} GB",
            "cores" if by_cores > by_memory else "memory",
            "by plugin version, then by replica",
            math.ceil(max(by_cores, by_memory)),
        ),
        Need(
            "batch hosts",
            f"{batch_cores:,.1f} cores for {rows_per_s:,.0f} rows/s",
            "cores",
            "by chunk",
            math.ceil(batch_cores / size.machine_cores),
        ),
        Need(
            "workers",
            f"{workers}, one of them to spare",
            f"at {1e6 / cost('a row of a batch, in the worker'):,.0f} rows/s each, their one core",
            "by batch; namespaces take turns",
            math.ceil(workers / size.machine_cores),
        ),
        Need(
            "registry in PostgreSQL",
            f"{versions_gb:,.1f} GB for {size.versions:,.0f} versions in {size.namespaces:,.0f} namespaces",
            "nothing: it fits beside anything",
            "not divided",
            0,
        ),
        Need(
            "archives in the object store",
            f"{size.versions * size.archive_kb / 1e6:,.0f} GB",
            "nothing",
            "by sha256, which the store does",
            0,
        ),
        Need(
            "documents and vectors",
            f"{stored_tb:,.1f} TB, {graph_gb:,.0f} GB of it graphs to be kept in memory; {writes:,.2f} cores to write,"
            f" {searching:,.1f} to search",
            f"{first}: a primary with {size.database_gb:,.0f} GB holds {held_millions:,.0f} million",
            "by collection: Qdrant's shards, or a database for each group of namespaces",
            shards,
        ),
    ]


def simulate_wait(utilisation: float, servers: int, *, requests: int = 60_000, seed: int = 0) -> float:
    """Return the 99th percentile of the wait for one of `servers`, in units of the time that a request takes.

    Requests come at random (a Poisson process) and wait in one queue; each takes exactly one unit.
    """
    chance, free_at, now = random.Random(seed), [0.0] * servers, 0.0
    waits = []
    for _ in range(requests):
        now += chance.expovariate(utilisation * servers)
        begins = max(now, heapq.heappop(free_at))
        heapq.heappush(free_at, begins + 1.0)
        waits.append(begins - now)
    return sorted(waits)[int(0.99 * len(waits))]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def report(size: Size) -> str:
    """Return the tables as Markdown."""
    taken = needs(size)
    total = sum(need.machines for need in taken)
    large = next(need for need in taken if need.component == "documents and vectors").machines
    dump_s = size.documents * cost("document, dumped") / 1e6
    restore_s = size.documents * cost("document, restored, indexes built") / 1e6
    parts = [
        "### Costs of single things",
        table(
            ["what", "measured", "where"],
            [[name, f"{each.value:,g} {each.unit}", each.source] for name, each in COSTS.items()],
        ),
        f"### {size.documents:,.0f} documents, {size.requests_per_s:,.0f} requests and"
        f" {size.searches_per_s:,.0f} searches a second",
        table(
            ["component", "takes", "saturates", "divided", "machines"],
            [[each.component, each.takes, each.saturates, each.divided, str(each.machines)] for each in taken],
        ),
        f" {large} of {size.database_gb:.0f} GB for documents; with a replica of each of these, {total + large}.",
        f" {large} of {size.database_gb:.0f} GB for documents; with a replica of each of these, {total + large}.",
        f"One `pg_dump` of all documents would take {dump_s / 3600:,.0f} hours, its restore"
        f" {restore_s / DAY_S:,.1f} days: from some size on, physical backups.",
        "### Why half",
        "The 99th percentile of the wait, in multiples of what a request takes, simulated:",
        table(
            ["servers", *(f"{share:.0%} busy" for share in (0.5, 0.7, 0.8, 0.9, 0.95))],
            [
                [str(servers), *(f"{simulate_wait(share, servers):.2f}" for share in (0.5, 0.7, 0.8, 0.9, 0.95))]
                for servers in (1, 2, 4, 16)
            ],
        ),
    ]
    return "\n\n".join(parts)


def page_with(text: str, made: str) -> str:
    """Return a page with its made part replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true")
    for each in fields(Size):
        arguments.add_argument(f"--{each.name.replace('_', '-')}", type=float, default=each.default)
    given = vars(arguments.parse_args())
    write = given.pop("write")
    made = report(Size(**given))
    if write:
        PAGE.write_text(page_with(PAGE.read_text(), made))
    else:
        print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
