"""`mixpeek namespace`: create and list the namespaces of a server."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.session import Session, on_server

app = typer.Typer(help="Create and list namespaces.", no_args_is_help=True)


@app.command("create")
@on_server
def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new namespace.")],
) -> None:
    """Create a namespace and print its ID.

    Example: `mixpeek namespace create demo`
    """
    client, output = session.client, session.output
    created = client.namespaces.create(name)
    output.document(created)
    output.show(str(created["namespace_id"]))
    output.say(f"Use it with `export MIXPEEK_NAMESPACE={created['namespace_id']}`")


@app.command("list")
@on_server
def list_namespaces(
    session: Session,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Namespaces on one page.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Namespaces to leave out first.")] = 0,
) -> None:
    """List the namespaces this key can see.

    Example: `mixpeek namespace list`
    """
    client, output = session.client, session.output
    page = client.namespaces.list(limit=limit, offset=offset)
    output.document(page)
    output.table(
        ("ID", "NAME", "CREATED"),
        [(row.get("namespace_id"), row.get("namespace_name"), row.get("created_at")) for row in page["results"]],
        empty="No namespaces yet; create one with `mixpeek namespace create NAME`",
    )
