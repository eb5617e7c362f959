"""The metrics' names follow Prometheus's rules, and the page for operators lists exactly these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mixpeek.metrics.families import FAMILIES, PREFIX, Family

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "watch-the-platform.md"
ROW = re.compile(r"^\| `(mixpeek_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", re.MULTILINE)
# A unit is a base unit and ends the name, before `_total`; prefixes and abbreviations of units are none.
FOREIGN_UNITS = re.compile(r"_(ms|millis\w*|micro\w*|minutes|hours|kb|mb|kilo\w*|mega\w*|percent)(_|$)")
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@every_family
def test_a_name_says_kind_and_unit(family: Family) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert not FOREIGN_UNITS.search(family.name)
    for unit in ("seconds", "bytes"):
        assert unit not in family.name or family.name.removesuffix("_total").endswith(f"_{unit}")
    # The exposition adds these itself.
    assert not family.name.endswith(("_count", "_sum", "_bucket", "_created"))


@every_family
def test_labels_are_plain_and_none_is_prometheuss_own(family: Family) -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) for label in family.labels)
    assert not {"le", "quantile", "job", "instance", "process"} & set(family.labels)
    assert len(set(family.labels)) == len(family.labels)


def test_no_counter_without_its_suffix_is_another_metric() -> None:
    names = [family.name.removesuffix("_total") for family in FAMILIES]

    assert len(names) == len(set(names))


def test_the_page_lists_every_metric_as_it_is_and_no_other() -> None:
    listed = [tuple(found.groups()) for found in ROW.finditer(PAGE.read_text())]

    own = [(PREFIX + f.name, f.kind, ", ".join(f.labels) or "–", f.words) for f in FAMILIES]
    assert listed == own, "make the rows again:\n" + "\n".join(f"| `{n}` | {k} | {lb} | {w} |" for n, k, lb, w in own)
