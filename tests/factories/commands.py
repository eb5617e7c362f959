"""Running the installed `mixpeek` command as an author does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factories.servers import MIXPEEK, surroundings


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ran]


def run_command(*arguments: str | Path, cwd: Path, within_s: float = 120, **variables: str) -> Ran:
    """Run `mixpeek ARGUMENTS` in `cwd`; `variables` are the only `MIXPEEK_*` it sees."""
    done = subprocess.run(
        [MIXPEEK, *map(str, arguments)],
        cwd=cwd,
        env=surroundings(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
