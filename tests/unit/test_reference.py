"""docs/reference is made from the code, and says so when it is not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "reference").rglob("*.md"))


def make_reference(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run what `make reference` runs."""
    command = [sys.executable, "-m", "scripts.reference", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_reference_is_up_to_date() -> None:
    checked = make_reference("--check")

    assert checked.returncode == 0, checked.stderr


def test_a_page_that_differs_is_named_and_left_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "reference", tmp_path, dirs_exist_ok=True)
    (tmp_path / "cli.md").write_text("something else")

    checked = make_reference("--check", tmp_path)

    assert checked.returncode == 1
    assert "out of date: cli.md;" in checked.stderr
    assert (tmp_path / "cli.md").read_text() == "something else"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_headings_of_a_page_share_a_link(page: Path) -> None:
    prose = re.sub(r"^(```+).*?^\1$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = [line.lstrip("# ").lower() for line in prose.splitlines() if line.startswith("#")]

    assert len(headings) == len(set(headings))
