"""`mixpeek plugin deployment`, `promote` and `undeploy`: two versions beside each other, and the end of that."""

from __future__ import annotations

from typing import Annotated

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, Message, Namespace, connect_to_namespace
from mixpeek.cli.output import output_for

PluginId = Annotated[str, typer.Argument(metavar="PLUGIN_ID", help="Version, as in `text_embed_1_0_0`.")]


def deployment(
    context: typer.Context,
    *,
    plugin_id: PluginId,
    namespace: Namespace = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Show which versions share the requests of a plugin, and how a shadow's answers differ."""
    from mixpeek.cli.shadow import show_shadow, show_versions

    output = output_for(context, json)
    with connect_to_namespace(context, api_key, base_url, namespace) as client:
        answer = client.plugins.deployment(plugin_id)
    output.document(answer)
    show_versions(output, answer["versions"])
    if answer.get("shadow"):
        show_shadow(output, answer["shadow"])


def promote(
    context: typer.Context,
    *,
    plugin_id: PluginId,
    message: Message = None,
    namespace: Namespace = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Give all requests of a plugin to its canary or shadow, and end the version that had them."""
    output = output_for(context, json)
    with connect_to_namespace(context, api_key, base_url, namespace) as client:
        answer = client.plugins.promote(plugin_id, message=message)
    output.document(answer)
    relieved = ", ".join(answer["superseded"])
    output.show(f"{plugin_id} answers all requests" + (f"; {relieved} ended" if relieved else ""))


def undeploy(
    context: typer.Context,
    *,
    plugin_id: PluginId,
    namespace: Namespace = None,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Stop a version from answering; the share of a canary goes back to the stable version."""
    output = output_for(context, json)
    with connect_to_namespace(context, api_key, base_url, namespace) as client:
        answer = client.plugins.undeploy(plugin_id)
    output.document(answer)
    output.show(f"{plugin_id} {'no longer answers' if answer['was_deployed'] else 'was not deployed'}")
