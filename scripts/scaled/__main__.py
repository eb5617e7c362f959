"""`python -m scripts.scaled COMMAND…`: run a command beside what a platform past one machine has; end that after.

A primary and its replica, an S3 server and a Ray cluster of three nodes; the last two where they are installed. The
command finds in `MIXPEEK_SCALED_PROFILE` a file that names them (`profile`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.scaled.cluster import RayCluster
from scripts.scaled.database import running_pair
from scripts.scaled.objects import program, running_s3
from scripts.scaled.profile import VARIABLE, Profile, Ray

# More than this machine has: the tests' plugins declare much and use little.
NODE_CPUS, NODE_MEMORY_GIB = 4, 64


def main() -> int:
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended on the way out
    began = time.monotonic()
    with contextlib.ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="mixpeek-scaled-")))
        pair = parts.enter_context(running_pair(folder / "database"))
        s3 = parts.enter_context(running_s3(folder / "objects")) if program() else None
        ray = parts.enter_context(_running_ray(folder / "cache")) if importlib.util.find_spec("ray") else None
        profile = Profile(pair.primary.port, pair.replica.port, s3, ray)
        profile.write(folder / "profile.json")
        _say(f"{profile.describe()}; ready after {time.monotonic() - began:.1f} s")
        return subprocess.run(
            command, env={**os.environ, VARIABLE: str(folder / "profile.json")}, check=False
        ).returncode


@contextlib.contextmanager
def _running_ray(cache_dir: Path) -> Iterator[Ray]:
    """Have a cluster of a head and two nodes run while the context lasts."""
    token = secrets.token_hex(32)
    with RayCluster(cpus=NODE_CPUS, memory_gib=NODE_MEMORY_GIB, token=token) as cluster:
        yield Ray(cluster.address, token, str(cache_dir))


def _say(text: str) -> None:
    print(f"scaled: {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
