"""The corpus of code: hostile modules with the rules that find them, and benign plugins in which nothing is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from factories.samples import BENIGN, SAMPLES, benign_plugin
from mixpeek.inspection.rules import SECURITY_RULES
from mixpeek.inspection.scan import scan
from mixpeek.inspection.structure import check_structure

HOSTILE = sorted(path for path in (SAMPLES / "code").rglob("*") if path.is_file())
# Code of which the scan cannot tell what it does; the sandbox holds it, and the scan is not said to see it.
CONTAINED = "none (the sandbox contains it)"


def expected(path: Path) -> set[str]:
    """Return the rules that the first line of a sample names."""
    first = path.read_bytes().splitlines()[0].decode()
    assert first.startswith("# expect: "), path
    words = first.removeprefix("# expect: ")
    return set() if words == CONTAINED else {word.strip() for word in words.split(",")}


def named(path: Path) -> str:
    return path.relative_to(SAMPLES).as_posix()


@pytest.mark.parametrize("path", HOSTILE, ids=named)
def test_a_hostile_module_is_found_by_exactly_the_rules_it_names(tmp_path: Path, path: Path) -> None:
    shutil.copy(path, tmp_path / path.name)

    found = {finding.rule for finding in scan(tmp_path)}

    assert found == expected(path)


@pytest.mark.parametrize("sample", BENIGN, ids=named)
def test_a_benign_plugin_has_no_finding(tmp_path: Path, sample: Path) -> None:
    folder = benign_plugin(sample, tmp_path)

    assert [*scan(folder), *check_structure(folder)] == []


def test_the_corpus_is_as_large_as_it_claims_and_has_every_rule_of_security() -> None:
    rules = {rule for path in HOSTILE for rule in expected(path)}

    assert len(HOSTILE) >= 110
    assert len(BENIGN) >= 40
    assert {rule.name for rule in SECURITY_RULES} <= rules


def test_few_hostile_modules_are_left_to_the_sandbox() -> None:
    left = [path for path in HOSTILE if not expected(path)]

    assert len(left) <= 5
