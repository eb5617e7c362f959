"""`mixpeek plugin list`: the extractors that a namespace can use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, Json, Namespace, connect
from mixpeek.cli.output import output_for


class Source(StrEnum):
    """Where an extractor comes from."""

    ALL = "all"
    BUILTIN = "builtin"
    CUSTOM = "custom"
    COMMUNITY = "community"


def list_plugins(
    context: typer.Context,
    *,
    namespace: Namespace = None,
    source: Annotated[Source, typer.Option("--source", "-s", help="Where they come from.")] = Source.ALL,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """List the plugins of a namespace.

    Example: `mixpeek plugin list --source custom`
    """
    output = output_for(context, json)
    with connect(context, api_key, base_url, namespace) as client:
        answer = client.plugins.list(source.value)
    output.document(answer)
    output.table(
        ("NAME", "VERSION", "SOURCE", "STATUS", "FEATURE URI"),
        [_row(entry) for entry in answer["results"]],
        empty="No plugins here yet; publish one with `mixpeek plugin publish`",
    )


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    status = entry.get("status") or ("DEPLOYED" if entry.get("deployed") else "NOT_DEPLOYED")
    name = entry.get("name") or entry.get("feature_extractor_name")
    return name, entry.get("version"), entry.get("source"), status, entry.get("feature_uri")
