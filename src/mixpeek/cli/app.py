"""The root of the command line: global options, the groups, and the one place that turns errors into exit codes.

0 done, 1 findings or failed, 2 usage, 3 server unreachable.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from mixpeek.cli.lazy import Entry, lazy_group
from mixpeek.cli.options import ApiKey, BaseUrl, Globals, Json
from mixpeek.cli.output import Output
from mixpeek.errors import InvalidRequest, MixpeekError

DONE, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

_COMMANDS = {
    "search": Entry("mixpeek.cli.search", "search", "Search collections and print what fits best."),
    "infer": Entry("mixpeek.cli.infer", "infer", "Ask a deployed plugin once and print its output as JSON."),
    "serve": Entry(
        "mixpeek.cli.serve", "serve", "Start the platform: API, worker and everything they need, in one command."
    ),
    "config": Entry(
        "mixpeek.cli.config", "config", "Print the server's settings as `mixpeek serve` would read them here."
    ),
    "dev": Entry(
        "mixpeek.cli.dev",
        "dev",
        "Publish a plugin to a scratch namespace on every save, and show what realtime and batch make of its samples.",
    ),
    "doctor": Entry(
        "mixpeek.cli.doctor",
        "doctor",
        "Check this machine, the settings and the server, and say what to do; nothing is changed.",
    ),
    "plugin": Entry("mixpeek.cli.plugin", "app", "Create, test, publish, deploy and compare plugins."),
    "model": Entry("mixpeek.cli.model", "app", "Upload, deploy and fetch models that plugins load."),
    "namespace": Entry("mixpeek.cli.namespace", "app", "Create and list namespaces."),
    "bucket": Entry("mixpeek.cli.bucket", "app", "Create buckets and fill them with files and rows."),
    "object": Entry("mixpeek.cli.object", "app", "List, show and delete the objects of a bucket."),
    "collection": Entry("mixpeek.cli.collection", "app", "Create collections, and run their extractors."),
    "batch": Entry("mixpeek.cli.batch", "app", "Follow batches, see what failed, and retry it."),
    "documents": Entry("mixpeek.cli.documents", "app", "List, show and export documents."),
    "retriever": Entry("mixpeek.cli.retriever", "app", "Create retrievers, and run them."),
    "task": Entry("mixpeek.cli.task", "app", "Follow batches and other work of the server."),
    "migrate": Entry(
        "mixpeek.cli.migrate", "migrate", "Bring the database that MIXPEEK_DATABASE_URL names to this program's schema."
    ),
    "backup": Entry(
        "mixpeek.cli.backup", "app", "Back up everything the server keeps while it runs: `mixpeek backup PATH`."
    ),
    "restore": Entry("mixpeek.cli.backup", "restore", "Restore a backup into an empty system."),
    "keys": Entry("mixpeek.cli.keys", "app", "Manage API keys, on the server's machine."),
    "secret": Entry("mixpeek.cli.secret", "app", "Keep secrets for plugins, and say which namespaces may read them."),
    "webhook": Entry("mixpeek.cli.webhook", "app", "Have URLs told of what happens on the server."),
}

app = typer.Typer(
    name="mixpeek",
    cls=lazy_group(_COMMANDS),
    help="Write, test, publish and run custom feature extractors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


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

    def work() -> Any:
        return typer.main.get_command(app).main(args=list(arguments), prog_name="mixpeek", standalone_mode=False)

    return report(arguments, work)


def report(arguments: Sequence[str], work: Callable[[], Any]) -> int:
    """Do the work of a command line, print what goes wrong as that asks for it, and return the exit code."""
    output = Output("--json" in arguments, verbose=not {"--verbose", "-v"}.isdisjoint(arguments))
    try:
        result = work()
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
