"""The page on scale says what its script computes, and its costs are where it says they are."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks"))

from capacity import COSTS, PAGE, Size, needs, page_with, report, simulate_wait  # noqa: E402


def test_the_page_has_the_tables_that_the_script_makes() -> None:
    assert PAGE.read_text() == page_with(PAGE.read_text(), report(Size())), "run `benchmarks/capacity.py --write`"


def test_costs_are_recorded_where_they_say() -> None:
    for name, cost in COSTS.items():
        found = re.fullmatch(r"decision (\d{4})", cost.source)
        if found:
            pages = "".join(page.read_text() for page in (ROOT / "docs" / "decisions").glob(f"{found[1]}-*.md"))
            assert re.search(rf"\b{cost.value:,g}\b", pages), name
        elif cost.source.startswith("`"):
            script = (ROOT / cost.source.strip("`")).read_text()
            assert f'"{name.replace("20,000", "{rows:,}")}"' in script or name.split()[0] in ("api", "worker"), name
        else:
            assert cost.source.startswith("an assumption")


@pytest.mark.parametrize("field", ["documents", "requests_per_s", "searches_per_s", "versions"])
def test_ten_times_as_much_never_takes_less(field: str) -> None:
    before = needs(Size())
    after = needs(replace(Size(), **{field: getattr(Size(), field) * 10}))

    assert all(more.machines >= less.machines for less, more in zip(before, after, strict=True))


def test_what_runs_out_first_depends_on_what_is_asked() -> None:
    def first(**changed: float) -> str:
        return needs(replace(Size(), **changed))[-1].saturates.split(":")[0]

    assert first() == "graphs in memory"
    assert first(searches_per_s=1e6) == "searches"
    assert first(database_gb=100_000) == "disk"


def test_a_queue_waits_longer_the_busier_it_is_and_less_with_more_servers() -> None:
    waits = [simulate_wait(share, 2, requests=20_000) for share in (0.3, 0.6, 0.9)]

    assert waits == sorted(waits)
    assert simulate_wait(0.8, 8, requests=20_000) < simulate_wait(0.8, 1, requests=20_000)
    assert simulate_wait(0.01, 4, requests=2_000) == 0.0
