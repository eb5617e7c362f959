"""The embedded database as it is before its server's first start is over: made once a run, then copied.

Making one and bringing it to the newest schema costs two seconds of processor time; a copy costs the disk 40 MB.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mixpeek.db.embedded import EmbeddedPostgres


class FreshDatabase:
    """A migrated database without a row, in a folder that all processes of a test run share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy_to(self, data_dir: Path) -> None:
        """Put it into a data dir that has none."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self._folder / "data").exists():
                self._make()
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copytree(self._folder / "data" / "postgres", data_dir / "postgres", symlinks=True)

    def _make(self) -> None:
        building = self._folder / "building"
        shutil.rmtree(building, ignore_errors=True)  # of a process whose migration failed
        building.mkdir()
        database = EmbeddedPostgres(building)
        database.start()
        try:
            variables = {"MIXPEEK_DATABASE_URL": database.url, "MIXPEEK_DATABASE_IS_NEW": "1"}
            subprocess.run([sys.executable, "-m", "mixpeek.db"], env={**os.environ, **variables}, check=True)
        finally:
            database.stop()
        building.rename(self._folder / "data")
