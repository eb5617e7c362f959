"""`mixpeek plugin publish` and `push`: check, test, pack, upload, confirm; `publish` deploys as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixpeek.cli.options import (
    ApiKey,
    BaseUrl,
    BatchOnly,
    Json,
    Message,
    Namespace,
    NoWait,
    PluginPath,
    Strict,
    Verbose,
    connect_to_namespace,
)
from mixpeek.cli.output import output_for

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek

DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and pack, but send nothing; needs no server.")]
Bump = Annotated[bool, typer.Option("--bump", help="Publish as the next patch version.")]
NoTests = Annotated[bool, typer.Option("--no-tests", help="Do not run the plugin's own tests.")]


def publish(
    context: typer.Context,
    *,
    path: PluginPath = ".",
    namespace: Namespace = None,
    dry_run: DryRun = False,
    message: Message = None,
    bump: Bump = False,
    strict: Strict = False,
    no_tests: NoTests = False,
    batch_only: BatchOnly = False,
    no_deploy: Annotated[bool, typer.Option("--no-deploy", help="Publish, but deploy nothing.")] = False,
    no_wait: NoWait = False,
    verbose: Verbose = False,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Check a plugin, publish it to a namespace, and deploy it."""
    # The examination is slow to import; `mixpeek --help` must not wait for it.
    from mixpeek.cli.publication import Wishes, publish_folder

    output = output_for(context, json, verbose=verbose)
    client = None if dry_run else connect_to_namespace(context, api_key, base_url, namespace)
    wishes = Wishes(path, message, bump, strict, not no_tests, not no_deploy, batch_only, not no_wait)
    publish_folder(client, output, wishes)


def push(
    context: typer.Context,
    *,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Folder of the plugin.")] = ".",
    namespace: Namespace = None,
    dry_run: DryRun = False,
    message: Message = None,
    bump: Bump = False,
    strict: Strict = False,
    no_tests: NoTests = False,
    verbose: Verbose = False,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Check a plugin and publish it, without deploying it.

    Example: `mixpeek plugin push ./my_extractor --bump -m "smaller model"`
    """
    from mixpeek.cli.publication import Wishes, publish_folder

    output = output_for(context, json, verbose=verbose)
    client: Mixpeek | None = None if dry_run else connect_to_namespace(context, api_key, base_url, namespace)
    publish_folder(client, output, Wishes(path, message, bump, strict, not no_tests, deploy=False))
