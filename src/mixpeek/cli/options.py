"""Options that several commands share, and what they resolve to: an option beats an environment variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mixpeek.contract.versions import normalise_version
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek

ApiKey = Annotated[
    str | None, typer.Option("--api-key", help="API key of the server; default MIXPEEK_API_KEY.", show_default=False)
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Address of the server; default MIXPEEK_BASE_URL, else http://127.0.0.1:8000.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print details.")]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace, by ID or name; default MIXPEEK_NAMESPACE.", show_default=False),
]
Message = Annotated[
    str | None, typer.Option("--message", "-m", help="What this is for; the history shows it.", show_default=False)
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is deployed.")]
BatchOnly = Annotated[bool, typer.Option("--batch-only", help="Deploy without a realtime endpoint.")]
Strict = Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the plugin.")]
PluginPath = Annotated[str, typer.Option("--path", "-p", help="Folder of the plugin.")]


@dataclass(frozen=True)
class Globals:
    """What was given before the sub-command."""

    api_key: str | None = None
    base_url: str | None = None
    json: bool = False


def version_given(text: str) -> str:
    """Return a version of a plugin as the server writes it; raise InvalidRequest for what is none."""
    try:
        return normalise_version(text)
    except ValueError as error:
        raise InvalidRequest(str(error), hint="`mixpeek plugin log NAME` lists the versions") from error


def globals_of(context: typer.Context) -> Globals:
    """Return the options given before the sub-command."""
    found = context.find_root().obj
    return found if isinstance(found, Globals) else Globals()


def connect(context: typer.Context, api_key: str | None, base_url: str | None, namespace: str | None = None) -> Mixpeek:
    """Return a client for the options of a command; those after the sub-command come first."""
    from mixpeek.client import Mixpeek  # httpx is slow to load, and only some commands need it

    given = globals_of(context)
    return Mixpeek(api_key or given.api_key, base_url or given.base_url, namespace)


def connect_to_namespace(
    context: typer.Context, api_key: str | None, base_url: str | None, namespace: str | None
) -> Mixpeek:
    """Return a client as `connect` does; raise InvalidRequest where no namespace is known."""
    client = connect(context, api_key, base_url, namespace)
    if client.namespace is None:
        client.close()
        raise InvalidRequest(
            "No namespace is given", hint="Pass `--namespace`, or set MIXPEEK_NAMESPACE to its ID or name"
        )
    return client
