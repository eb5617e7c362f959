"""`mixpeek keys`: manage API keys on the server's machine, without a key and whether the server runs or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json
from mixpeek.cli.output import output_for
from mixpeek.cli.serve import needs_server

if TYPE_CHECKING:
    from mixpeek.db.pool import Connection
    from mixpeek.server.datadir import DataDir
    from mixpeek.tenancy.models import ApiKey

app = typer.Typer(help="Manage API keys, on the server's machine.", no_args_is_help=True)

_PAGE = 1000


class Permission(StrEnum):
    """Each holds those before it."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="The server's data folder; default MIXPEEK_DATA_DIR, else mixpeek-data.",
        show_default=False,
    ),
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's ID or name.")]


@dataclass(frozen=True)
class _Place:
    """A transaction in a server's database, with what commands need beside it."""

    connection: Connection
    organization_id: str
    operator: str
    data_dir: DataDir


@app.command("create")
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new key.")],
    permission: Annotated[
        list[Permission] | None, typer.Option("--permission", "-p", help="May be repeated; default read and write.")
    ] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="May be repeated; default all namespaces.")
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="When the key ends, in UTC; default never.")] = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help="What the key is for.")] = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Create a key and print it; it cannot be shown again.

    Example: `mixpeek keys create build-server --permission write`
    """
    output = output_for(context, json)
    with _place(data_dir) as place:
        from mixpeek.tenancy.keys import create_key

        made, secret = create_key(
            place.connection,
            place.organization_id,
            name,
            [str(each) for each in permission or (Permission.READ, Permission.WRITE)],
            created_by=place.operator,
            namespaces=namespace or None,
            expires_at=expires.replace(tzinfo=UTC) if expires else None,
            description=description,
        )
    output.document({"success": True, **_wire(made), "key": secret})
    output.show(secret)
    output.say(f"Key {made.key_id} is shown this once; keep it")


@app.command("list")
def list_keys(context: typer.Context, *, data_dir: DataDirOption = None, json: Json = False) -> None:
    """List every key: who may do what, where, and when it was last used.

    Example: `mixpeek keys list`
    """
    output = output_for(context, json)
    with _place(data_dir) as place:
        from mixpeek.tenancy import queries

        found = queries.list_keys(place.connection, place.organization_id, _PAGE, "")
        while len(found) % _PAGE == 0 and found:
            more = queries.list_keys(place.connection, place.organization_id, _PAGE, found[-1].key_id)
            if not more:
                break
            found += more
    found.sort(key=lambda key: key.created_at)
    output.document({"success": True, "results": [_wire(key) for key in found], "total": len(found)})
    output.table(
        ("ID", "NAME", "STARTS WITH", "PERMISSIONS", "NAMESPACES", "STATUS", "LAST USED", "EXPIRES"),
        [
            (
                key.key_id, key.name, key.key_prefix, ",".join(key.permissions),
                "all" if key.namespaces is None else ",".join(key.namespaces), key.status,
                _minute(key.last_used_at, "never"), _minute(key.expires_at, "never"),
            )
            for key in found
        ],
        empty="No keys yet; `mixpeek serve` makes the first one",
    )  # fmt: skip


@app.command("revoke")
def revoke(context: typer.Context, *, key: KeyArgument, data_dir: DataDirOption = None, json: Json = False) -> None:
    """End a key, within a second; it stays listed.

    Example: `mixpeek keys revoke build-server`
    """
    output = output_for(context, json)
    with _place(data_dir) as place:
        from mixpeek.tenancy.keys import revoke_key

        revoked = revoke_key(place.connection, place.organization_id, key)
    output.document({"success": True, **_wire(revoked)})
    output.show(f"{revoked.key_id} {revoked.name} is revoked")


@app.command("reset")
def reset(context: typer.Context, *, data_dir: DataDirOption = None, json: Json = False) -> None:
    """Replace the admin key, for when it is lost or known to others: print the new one and keep it in the data dir.

    Example: `mixpeek keys reset`
    """
    output = output_for(context, json)
    with _place(data_dir) as place:
        from mixpeek.tenancy.keys import reset_admin_key

        made, secret = reset_admin_key(place.connection, place.organization_id, created_by=place.operator)
    # Written after the commit: the file must never hold a key that does not exist.
    kept_in = place.data_dir.replace_admin_key(secret)
    output.document({"success": True, **_wire(made), "key": secret, "kept_in": str(kept_in)})
    output.show(secret)
    output.say(f"The admin key is also kept in {kept_in}; the one before it has ended")


@contextlib.contextmanager
def _place(data_dir: Path | None) -> Iterator[_Place]:
    """Open one transaction in the server's database, audited under the name of this user."""
    with needs_server():
        # The platform is slow to load, and only these commands need it.
        from mixpeek.db.origin import caused_by
        from mixpeek.server.offline import database_of
        from mixpeek.tenancy.queries import find_first_organization
        from mixpeek.tenancy.service import bootstrap
    operator = _user()
    fields: dict[str, Any] = {"actor_type": "operator", "actor_id": "operator", "actor_name": operator}
    with database_of(data_dir) as (database, directory), caused_by(fields), database.transaction() as connection:
        organization_id = find_first_organization(connection) or bootstrap(connection, directory.admin_key(None)[0])
        yield _Place(connection, organization_id, operator, directory)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        import os

        return f"uid {os.geteuid()}"


def _wire(key: ApiKey) -> dict[str, Any]:
    """Return a key as the API writes it, moments included."""
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in key.wire().items()}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _minute(moment: datetime | None, otherwise: str) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else otherwise
