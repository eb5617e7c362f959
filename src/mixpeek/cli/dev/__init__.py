"""`mixpeek dev`: a server, a scratch namespace, and on every save the plugin published, deployed, asked and run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import ApiKey, BaseUrl, PluginPath, globals_of
from mixpeek.cli.output import Output, output_for

if TYPE_CHECKING:
    from mixpeek.cli.dev.scratch import Scratch

_INTERRUPTED = 130


def dev(
    context: typer.Context,
    *,
    path: PluginPath = ".",
    sample_data: Annotated[
        Path | None,
        typer.Option(
            "--sample-data",
            "-s",
            help="Rows to run, as for `plugin test`; default the plugin's own samples.json.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Publish and run once, then end.")] = False,
    api_key: ApiKey = None,
    base_url: BaseUrl = None,
) -> None:
    """Publish a plugin to a scratch namespace on every save, and show what realtime and batch make of its samples.

    A server that MIXPEEK_API_KEY or MIXPEEK_BASE_URL names is used; else one is started with a data dir of its own,
    which goes when this ends. The scratch namespace goes too.

    Example: `mixpeek dev --path my_extractor --sample-data pictures`
    """
    # The client and the packer are slow to import; `mixpeek --help` must not wait for them.
    from mixpeek.cli.dev.scratch import Scratch, scratch_namespace
    from mixpeek.cli.dev.server import server_for
    from mixpeek.cli.packing import plugin_folder
    from mixpeek.cli.watching import look, wait_for_save

    output = output_for(context, False, report_on_stdout=True)
    folder = plugin_folder(path)
    given = globals_of(context)
    others = [] if sample_data is None else [sample_data]
    # A closed terminal or a supervisor ends this as Ctrl-C does: with everything taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    passed = True
    try:
        with (
            server_for(api_key or given.api_key, base_url or given.base_url, output) as connect,
            scratch_namespace(connect, folder.resolve().name, output) as client,
        ):
            scratch = Scratch(client, output)
            known = look(folder, others)
            while True:
                passed = _run(scratch, output, folder, sample_data)
                if once:
                    break
                output.say("Waiting for a save, Ctrl-C ends", "dim")
                known, _ = _wait(wait_for_save(folder, others, known))
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    if not passed:
        raise typer.Exit(1)


def _run(scratch: Scratch, output: Output, folder: Path, sample_data: Path | None) -> bool:
    """Show what one state of the plugin comes to; whatever is wrong with it is said, and waits for the next save."""
    from mixpeek.errors import MixpeekError
    from mixpeek.inspection.limits import ArchiveRefused

    try:
        return scratch.show(folder, sample_data)
    except ArchiveRefused as refused:
        output.check("Packed", "failed")
        output.findings(finding.wire() for finding in refused.findings)
    except MixpeekError as error:
        if error.code == "client.unreachable":
            raise
        output.error(error)
    return False


def _wait(saving: Any) -> Any:
    import asyncio

    return asyncio.run(saving)
