"""`python -m mixpeek.server.cluster`: the Ray cluster of this server's own, which ends with this process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from mixpeek.server.process import begin

log = logging.getLogger(__name__)


def main() -> None:
    settings, _, _ = begin("cluster")
    # Its workers would stand back behind everything else, and plugins that answer requests with them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    from mixpeek.execution.ray import own  # an optional package, which reads its environment when it is imported

    stopping = threading.Event()
    address = own.start()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    _write(settings.cluster_file.expanduser().resolve(), address)
    log.info("the server's own Ray cluster is at %s", address)
    stopping.wait()
    own.stop()


def _write(path: Path, address: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(address)
    fresh.rename(path)


if __name__ == "__main__":
    main()
