"""The root of the command line: global options, the groups, and the one place that turns errors into exit codes.

0 done, 1 findings or failed, 2 usage, 3 server unreachable.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mixpeek.cli import (
    batch,
    bucket,
    collection,
    config,
    dev,
    doctor,
    documents,
    infer,
    keys,
    model,
    namespace,
    object,
    plugin,
    retriever,
    search,
    secret,
    serve,
    task,
    webhook,
)
from mixpeek.cli.options import ApiKey, BaseUrl, Globals, Json
from mixpeek.cli.output import Output
from mixpeek.errors import InvalidRequest, MixpeekError

DONE, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="mixpeek",
    help="Write, test, publish and run custom feature extractors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(plugin.app, name="plugin")
app.add_typer(model.app, name="model")
app.add_typer(namespace.app, name="namespace")
app.add_typer(bucket.app, name="bucket")
app.add_typer(object.app, name="object")
app.add_typer(collection.app, name="collection")
app.add_typer(batch.app, name="batch")
app.add_typer(documents.app, name="documents")
app.add_typer(retriever.app, name="retriever")
app.add_typer(task.app, name="task")
app.add_typer(keys.app, name="keys")
app.add_typer(secret.app, name="secret")
app.add_typer(webhook.app, name="webhook")
app.command("search")(search.search)
app.command("infer")(infer.infer)
app.command("serve")(serve.serve)
app.command("config")(config.config)
app.command("dev")(dev.dev)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        import mixpeek

        typer.echo(f"mixpeek {mixpeek.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - the callback answers it
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Write, test, publish and run custom feature extractors."""
    context.obj = Globals(api_key, base_url, json)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    output = Output("--json" in arguments, verbose=not {"--verbose", "-v"}.isdisjoint(arguments))
    try:
        result: Any = typer.main.get_command(app).main(args=list(arguments), prog_name="mixpeek", standalone_mode=False)
    except typer.TyperException as error:
        return _usage(output, error)
    except typer.Abort:
        return FAILED
    except BrokenPipeError:
        # Who read our output has gone; Python must not complain about it when it closes the stream.
        sys.stdout = None
        return FAILED
    except MixpeekError as error:
        output.error(error)
        return _exit_code(error)
    except Exception as error:  # the edge of the process: whatever gets here is our own fault, so it is shown whole
        traceback.print_exc()
        output.error(MixpeekError(f"{type(error).__name__}: {error}", hint="This is a fault of `mixpeek` itself"))
        return FAILED
    return result if isinstance(result, int) else DONE


def _usage(output: Output, error: typer.TyperException) -> int:
    text = error.format_message()
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mixpeek"
    if type(error).__name__ == "NoArgsIsHelpError":
        # The message is the help text itself, printed already.
        return error.exit_code
    output.error(InvalidRequest(text, hint=f"`{command} --help` shows what it takes"))
    return error.exit_code


def _exit_code(error: MixpeekError) -> int:
    if error.code == "client.unreachable":
        return UNREACHABLE
    # A request that the server found invalid is a failure; one that never left this machine is a wrong call.
    return USAGE if isinstance(error, InvalidRequest) else FAILED
