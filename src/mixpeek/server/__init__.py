"""The server: a supervisor that keeps the database, the API process and the worker process running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixpeek.server.plan import Plan


def serve(plan: Plan) -> int:
    """Run the server until SIGTERM or SIGINT; return the exit code."""
    from mixpeek.server.datadir import DataDir
    from mixpeek.server.supervisor import Supervisor

    return Supervisor(plan, DataDir(Path(plan.data_dir))).run()
