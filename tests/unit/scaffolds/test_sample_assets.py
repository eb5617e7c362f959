"""The program that made the sample files of the templates still makes them."""

from __future__ import annotations

from pathlib import Path

from scripts.sample_assets import PLUGINS, main

# Encoders of other versions write other bytes; these formats are written by us, or hold pixels as they are.
SAME = {".pdf", ".wav"}


def test_every_sample_is_made_by_the_program_and_none_is_anybody_elses(tmp_path: Path) -> None:
    main(tmp_path)

    made = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.*")}
    shipped = {path.relative_to(PLUGINS).as_posix(): path for path in PLUGINS.glob("*/samples/*")}
    assert made.keys() == shipped.keys()
    assert all(0 < path.stat().st_size <= 20_000 for path in made.values())
    assert all(path.read_bytes() == shipped[name].read_bytes() for name, path in made.items() if path.suffix in SAME)
