"""`mixpeek plugin deployment`, `promote` and `undeploy`: two versions beside each other, and the end of that."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import Message
from mixpeek.cli.session import Session, in_namespace

PluginId = Annotated[str, typer.Argument(metavar="PLUGIN_ID", help="Version, as in `text_embed_1_0_0`.")]


@in_namespace
def deployment(session: Session, *, plugin_id: PluginId) -> None:
    """Show which versions share the requests of a plugin, and how a shadow's answers differ.

    Example: `mixpeek plugin deployment my_extractor_1_1_0`
    """
    from mixpeek.cli.shadow import show_shadow, show_versions

    answer = session.client.plugins.deployment(plugin_id)
    session.output.document(answer)
    show_versions(session.output, answer["versions"])
    if answer.get("shadow"):
        show_shadow(session.output, answer["shadow"])


@in_namespace
def promote(session: Session, *, plugin_id: PluginId, message: Message = None) -> None:
    """Give all requests of a plugin to its canary or shadow, and end the version that had them.

    Example: `mixpeek plugin promote my_extractor_1_1_0`
    """
    answer = session.client.plugins.promote(plugin_id, message=message)
    session.output.document(answer)
    relieved = ", ".join(answer["superseded"])
    session.output.show(f"{plugin_id} answers all requests" + (f"; {relieved} ended" if relieved else ""))


@in_namespace
def undeploy(session: Session, *, plugin_id: PluginId) -> None:
    """Stop a version from answering; the share of a canary goes back to the stable version.

    Example: `mixpeek plugin undeploy my_extractor_1_1_0`
    """
    answer = session.client.plugins.undeploy(plugin_id)
    session.output.document(answer)
    session.output.show(f"{plugin_id} {'no longer answers' if answer['was_deployed'] else 'was not deployed'}")
