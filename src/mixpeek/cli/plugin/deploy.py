"""`mixpeek plugin deploy`: deploy or redeploy a published version."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import (
    BatchOnly,
    Message,
    NoWait,
)
from mixpeek.cli.session import Session, in_namespace


@in_namespace
def deploy(
    session: Session,
    *,
    plugin_id: Annotated[str, typer.Argument(metavar="PLUGIN_ID", help="Version, as in `text_embed_1_0_0`.")],
    batch_only: BatchOnly = False,
    traffic: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="Percent of the requests it answers beside the stable version.", show_default=False
        ),
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Mirror requests to it, and only compare answers.")] = False,
    no_wait: NoWait = False,
    message: Message = None,
) -> None:
    """Deploy a version and wait until it answers.

    Without `--traffic` and `--shadow` it takes all requests of its plugin, and ends what shared them.

    Example: `mixpeek plugin deploy my_extractor_1_1_0 --traffic 10`
    """
    from mixpeek.cli.deploying import follow, has_failed, show_deployment

    client, output = session.client, session.output
    client.plugins.deploy(plugin_id, batch_only=batch_only, traffic=traffic, shadow=shadow, message=message)
    status = follow(client, output, plugin_id, wait=not no_wait)
    failed = has_failed(status, batch_only=batch_only)
    output.document({"success": not failed, **{key: value for key, value in status.items() if key != "success"}})
    show_deployment(output, status, batch_only=batch_only)
    if failed:
        raise typer.Exit(1)
    output.show(f"{plugin_id} {status.get('status')}")
