"""`mixpeek migrate`: bring the database's schema up to date before the programs that need it start."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import Json
from mixpeek.cli.output import output_for
from mixpeek.cli.serve import needs_server
from mixpeek.errors import PlatformError


def migrate(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 if there is something to do.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Stop at this revision; default the newest.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to try again while tables are in use.")] = 300.0,
    json: Json = False,
) -> None:
    """Bring the database that MIXPEEK_DATABASE_URL names to this program's schema.

    Servers of the version before go on meanwhile, unless a revision says that it takes something away from them.
    An embedded database is migrated by `mixpeek serve`.

    Example: `mixpeek migrate --check`
    """
    output = output_for(context, json)
    with needs_server():
        import psycopg

        from mixpeek.config import Settings
        from mixpeek.db.pool import Database
        from mixpeek.db.schema import floor_of, head, migrate, standing
        from mixpeek.logging import configure
    settings = Settings()
    if settings.database_url is None:
        raise PlatformError(
            "MIXPEEK_DATABASE_URL is not set", hint="An embedded database is migrated when `mixpeek serve` starts"
        )
    configure("migrate", "warning", settings.log_format)
    database = Database(settings.database_url, max_connections=1)
    database.open()  # which waits for it to come up, and says so where it does not
    database.close()
    if check:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            before = standing(connection)
    else:
        before = migrate(settings.database_url, to, wait_s=wait)
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        after, floor = standing(connection), floor_of(connection)
    output.document(
        {
            "success": True, "before": before.current, "current": after.current, "newest": head(),
            "pending": list(after.pending), "oldest_program": floor, "usable": after.is_usable,
        }
    )  # fmt: skip
    if not after.is_known:
        output.show(f"at {after.current}, of a newer program" + ("" if after.is_usable else ": this one cannot run"))
    elif after.pending:
        output.show(f"at {after.current or 'no schema yet'}; to do: {', '.join(after.pending)}")
    else:
        output.show(f"at {after.current}" + (f", before {before.current}" if before.current != after.current else ""))
    if check and not after.is_usable:
        raise typer.Exit(1)
