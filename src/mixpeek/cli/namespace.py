"""`mixpeek namespace`: create and list the namespaces of a server."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, connect
from mixpeek.cli.output import output_for

app = typer.Typer(help="Create and list namespaces.", no_args_is_help=True)


@app.command("create")
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new namespace.")],
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Create a namespace and print its ID."""
    output = output_for(context, json)
    with connect(context, api_key, base_url) as client:
        created = client.namespaces.create(name)
    output.document(created)
    output.show(str(created["namespace_id"]))
    output.say(f"Use it with `export MIXPEEK_NAMESPACE={created['namespace_id']}`")


@app.command("list")
def list_namespaces(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Namespaces on one page.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Namespaces to leave out first.")] = 0,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """List the namespaces this key can see."""
    output = output_for(context, json)
    with connect(context, api_key, base_url) as client:
        page = client.namespaces.list(limit=limit, offset=offset)
    output.document(page)
    output.table(
        ("ID", "NAME", "CREATED"),
        [(row.get("namespace_id"), row.get("namespace_name"), row.get("created_at")) for row in page["results"]],
        empty="No namespaces yet; create one with `mixpeek namespace create NAME`",
    )
