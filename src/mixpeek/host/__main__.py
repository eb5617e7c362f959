"""`python -m mixpeek.host`: tighten this process, then serve a plugin over the socket it was started with.

Arguments are this program's own, written by `execution.sandbox`.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from mixpeek.contract.asking import connect
from mixpeek.host import records
from mixpeek.host.asking import Asking
from mixpeek.host.egress import hand_over
from mixpeek.host.loader import PluginPackage
from mixpeek.host.server import Server
from mixpeek.host.tighten import Limits, close_others, tighten

SOCKET_VARIABLE = "MIXPEEK_HOST_FD"


def main(arguments: list[str]) -> int:
    """Run the host; return its exit status."""
    flags = {argument for argument in arguments if argument in ("--network", "--nice")}
    pairs = [argument for argument in arguments if argument not in flags]
    options = dict(zip(pairs[::2], pairs[1::2], strict=True))
    tasks = options.get("--tasks")
    limits = Limits(
        memory_bytes=int(options["--memory"]),
        file_bytes=int(options["--file-bytes"]),
        tasks=int(tasks) if tasks else None,
        network="--network" in flags,
        background="--nice" in flags,
    )
    package = PluginPackage(Path(options["--plugin"]).resolve(), options["--name"])
    connection = socket.socket(fileno=int(os.environ.pop(SOCKET_VARIABLE)))
    if "--egress" in options:
        hand_over(int(options["--egress"]))
    asking = int(options["--asking"]) if "--asking" in options else None
    close_others(connection.fileno(), asking)
    tighten(limits)
    platform = None if asking is None else Asking(socket.socket(fileno=asking))
    connect(platform, package.root, network=limits.network)
    Server(connection, package, records.install()).serve()
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that plugin code left behind must not hold the process.
    os._exit(status)
