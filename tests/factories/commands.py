"""Running the installed `mixpeek` command as an author does."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from factories.servers import MIXPEEK, surroundings
from factories.warm_process import ASKING


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


class WarmCommand:
    """The command, loaded once by a process that forks for each run (`factories.warm_process`); begun on first use.

    `folder` holds an executable `mixpeek` that does what the installed one does, from whatever starts it.
    """

    shared: ClassVar[WarmCommand | None] = None  # what `run_command` and pages use; None has each run load it anew

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._place = tempfile.TemporaryDirectory(prefix="warm")

    @property
    def folder(self) -> Path:
        folder = Path(self._place.name)
        if self._process is None:
            asking, socket = folder / "mixpeek", folder / "socket"
            asking.write_text(ASKING.format(python=sys.executable, place=str(socket)))
            asking.chmod(0o755)
            self._process = subprocess.Popen(
                [sys.executable, "-P", Path(__file__).with_name("warm_process.py"), socket],
                env=surroundings(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert self._process.stdout is not None
            assert self._process.stdout.readline(), "the command could not be loaded"
        return folder

    def close(self) -> None:
        if self._process is not None:
            with self._process:
                pass
        self._place.cleanup()


def find_command() -> Path:
    """Return what runs `mixpeek`."""
    return Path(MIXPEEK) if WarmCommand.shared is None else WarmCommand.shared.folder / "mixpeek"


def run_command(*arguments: str | Path, cwd: Path, within_s: float = 120, **variables: str) -> Ran:
    """Run `mixpeek ARGUMENTS` in `cwd`; `variables` are the only `MIXPEEK_*` it sees."""
    done = subprocess.run(
        [find_command(), *map(str, arguments)],
        cwd=cwd,
        env=surroundings(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
