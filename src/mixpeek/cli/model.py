"""`mixpeek model`: the models of a namespace, and the cache of hub models on the server's machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixpeek.cli.keys import DataDirOption
from mixpeek.cli.options import Json
from mixpeek.cli.output import Output, output_for
from mixpeek.cli.serve import needs_server
from mixpeek.cli.session import Session, in_namespace
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.client import Response

app = typer.Typer(help="Upload, deploy and fetch models that plugins load.", no_args_is_help=True)

ModelId = Annotated[str, typer.Argument(metavar="MODEL_ID", help="The model's ID, such as embedder_1_0_0.")]


class Format(StrEnum):
    """As the server knows them; this module is imported where the server is not installed."""

    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    PYTORCH = "pytorch"
    HUGGINGFACE = "huggingface"


@app.command("upload")
@in_namespace
def upload(
    session: Session,
    *,
    path: Annotated[Path, typer.Argument(help="A folder, an archive (.tar.gz, .zip), or a file of weights.")],
    name: Annotated[str, typer.Option("--name", help="Name of the model.")],
    version: Annotated[str, typer.Option("--version", help="Version of the model, such as 1.0.0.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="What the weights are.")],
    description: Annotated[str | None, typer.Option("--description", "-d", help="What the model is for.")] = None,
    framework: Annotated[str | None, typer.Option(help="Such as sentence-transformers.")] = None,
    task_type: Annotated[str | None, typer.Option(help="Such as embedding.")] = None,
    deploy_it: Annotated[bool, typer.Option("--deploy", help="Deploy it as well.")] = False,
) -> None:
    """Store a model, checked but never run, and print its ID.

    Example: `mixpeek model upload ./weights --name embedder --version 1.0.0 --format onnx --deploy`
    """
    client, output = session.client, session.output
    stored = client.models.upload(
        path,
        name=name,
        version=version,
        model_format=form.value,
        description=description,
        framework=framework,
        task_type=task_type,
    )
    if deploy_it:
        client.models.deploy(stored["model_id"])
    output.document(stored)
    output.show(str(stored["model_id"]))
    if not deploy_it:
        output.say(f"Deploy it with `mixpeek model deploy {stored['model_id']}`")


@app.command("list")
@in_namespace
def list_models(session: Session) -> None:
    """List the models of a namespace.

    Example: `mixpeek model list`
    """
    client, output = session.client, session.output
    page = client.models.list()
    output.document(page)
    output.table(
        ("ID", "FORMAT", "DEPLOYED", "CREATED"),
        [
            (row["model_id"], row["model_format"], "yes" if row["deployed"] else "no", row["created_at"])
            for row in page["models"]
        ],
        empty="No models yet; store one with `mixpeek model upload`",
    )


@app.command("deploy")
@in_namespace
def deploy(session: Session, *, model_id: ModelId) -> None:
    """Make a model loadable for plugins that are deployed from now on.

    Example: `mixpeek model deploy embedder_1_0_0`
    """
    _report(session.output, session.client.models.deploy(model_id))


@app.command("delete")
@in_namespace
def delete(session: Session, *, model_id: ModelId) -> None:
    """Delete a model that no live plugin declares.

    Example: `mixpeek model delete embedder_1_0_0`
    """
    _report(session.output, session.client.models.delete(model_id))


@app.command("pull")
def pull(
    context: typer.Context,
    *,
    model: Annotated[str, typer.Argument(metavar="ID", help="org/name, or org/name@revision.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the model's files; default the hub.", show_default=False)
    ] = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Put a hub model into the cache of this machine's server; with `--from`, without a hub.

    Example: `mixpeek model pull sentence-transformers/all-MiniLM-L6-v2 --from ./downloaded`
    """
    output = output_for(context, json)
    try:
        from mixpeek.contract.model_references import parse_reference

        reference = parse_reference(model)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    if reference.source != "hub":
        raise InvalidRequest(f"{model} is not of a hub", hint="Write org/name, or org/name@revision")
    if source is not None and not source.is_dir():
        raise InvalidRequest(f"`{source}` is not a folder", hint="Name the folder that holds config.json and weights")
    with needs_server():
        from mixpeek.config import Settings
        from mixpeek.model_store.cache import ModelCache
        from mixpeek.model_store.fetching import fetch, pull_from
        from mixpeek.model_store.hub import Hub

        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
        cache = ModelCache(settings.models_dir.expanduser().resolve())
        if source is None:
            hub = None if settings.hub_offline else Hub(settings.hub_url, settings.hub_token, settings.max_model_bytes)
            found = fetch(cache, hub, reference.name, reference.revision)
        else:
            found = pull_from(cache, source, reference.name, reference.revision)
    output.document({"model": model, "revision": found.revision, "content_hash": found.content_hash})
    output.say(f"{model} is in {cache.root} at revision {found.revision}")


def _report(output: Output, done: Response) -> None:
    output.document(done)
    output.say(str(done["message"]))
