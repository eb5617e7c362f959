"""Templates are copied out and stand alone, so some hold the same file; what is repaired in one is repaired in all."""

from __future__ import annotations

from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "examples" / "plugins"
SHARED = ("processors/encoder.py", "processors/perception.py", "processors/pictures.py", "processors/vocab.txt",
          "tests/conftest.py")  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_what_several_templates_hold_is_the_same_in_each(name: str) -> None:
    copies = sorted(PLUGINS.glob(f"*/{name}"))

    assert len(copies) > 1
    assert {copy.read_bytes() for copy in copies} == {copies[0].read_bytes()}, copies
