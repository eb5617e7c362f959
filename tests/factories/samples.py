"""The benign plugins of `tests/samples`, made whole: their pipelines differ in nothing but the dialect."""

from __future__ import annotations

import shutil
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
BENIGN = sorted(path for path in (SAMPLES / "benign").iterdir() if path.is_dir())


def benign_plugin(sample: Path, into: Path) -> Path:
    """Copy a benign sample into `into`, with the pipeline of its dialect, and return the plugin's folder.

    A manifest that declares parameters goes with step definitions, another with plain callables.
    """
    folder = into / sample.name
    shutil.copytree(sample, folder)
    dialect = "steps" if "class Params" in (sample / "manifest.py").read_text() else "callables"
    shutil.copy(SAMPLES / "pipelines" / f"{dialect}.py", folder / "pipeline.py")
    return folder
