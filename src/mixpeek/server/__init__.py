"""The server: a supervisor that keeps the database, the API process and the worker process running."""

from __future__ import annotations

from pathlib import Path


def serve(host: str | None = None, port: int | None = None, data_dir: Path | None = None) -> int:
    """Run the server until SIGTERM or SIGINT; return the exit code.

    Arguments left out come from the `MIXPEEK_*` settings.
    """
    from mixpeek.server.supervisor import Supervisor

    return Supervisor.from_settings(host, port, data_dir).run()
