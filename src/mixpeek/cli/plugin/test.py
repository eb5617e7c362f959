"""`mixpeek plugin test`: what the server will check, the plugin's own tests, and sample data, all in the real host."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json, PluginPath, Verbose
from mixpeek.cli.output import Output, output_for
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.cli.packing import Bench
    from mixpeek.cli.report import Report
    from mixpeek.cli.trying import Trier

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_INTERRUPTED = 130


def test(
    context: typer.Context,
    *,
    folder: Annotated[
        str | None, typer.Argument(metavar="[FOLDER]", help="The same as `--path`.", show_default=False)
    ] = None,
    path: PluginPath = ".",
    sample_data: Annotated[
        Path | None,
        typer.Option(
            "--sample-data",
            "-s",
            help="Rows to run: a JSON, JSON lines, CSV or Parquet file, or a folder of files;"
            " default the plugin's own samples.json.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Test again whenever a file is saved.")] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML too.", show_default=False)
    ] = None,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Check a plugin, run its tests, and run sample data through it."""
    # The examination is slow to import; `mixpeek --help` must not wait for it.
    import asyncio

    from mixpeek.cli.packing import Bench, plugin_folder

    output = output_for(context, json, verbose=verbose, report_on_stdout=True)
    if folder is not None and path != ".":
        raise InvalidRequest("The folder is given twice", hint="Pass it with `--path`, or alone")
    if sample_data is not None and not sample_data.exists():
        raise InvalidRequest(f"There is no file `{sample_data}`", hint="Correct `--sample-data`")
    if watch and junit is not None:
        raise InvalidRequest("`--watch` writes no JUnit XML", hint="Leave out one of both")
    root = plugin_folder(folder or path)
    with Bench(root) as bench:
        if watch:
            try:
                asyncio.run(_watch(bench, output, sample_data))
            except KeyboardInterrupt:
                raise typer.Exit(_INTERRUPTED) from None
            return
        report = asyncio.run(_once(bench, output, sample_data, junit))
    if report.failed:
        raise typer.Exit(1)


async def _once(bench: Bench, output: Output, samples: Path | None, junit: Path | None) -> Report:
    hosts, trier = _start(samples)
    try:
        report, learned = await _try(bench, trier, output, is_first=True)
    finally:
        await hosts.close()
    if junit is not None:
        from mixpeek.cli.junit import write_junit

        write_junit(junit, _name(bench, learned), report.checks, report.findings_of)
    output.document(report.document(path=str(bench.folder), **learned))
    _conclude(output, report, _name(bench, learned))
    return report


async def _watch(bench: Bench, output: Output, samples: Path | None) -> None:
    """Try again after each save; hosts for the next try start while its author reads what came of the last."""
    from mixpeek.cli.watching import look, wait_for_save

    others = [] if samples is None else [samples]
    known = look(bench.folder, others)
    hosts, trier = _start(samples)
    changed: list[str] = []
    try:
        while True:
            began = time.perf_counter()
            if output.stdout.is_terminal and not output.json_mode:
                output.stdout.file.write(_CLEAR)
            _say_changes(output, bench.folder, changed)
            try:
                report, learned = await _try(bench, trier, output, is_first=not changed)
                output.record(report.document(path=str(bench.folder), **learned))
                _conclude(output, report, _name(bench, learned), hint="")
            except InvalidRequest as unusable:
                # A sample file that is half written: said, and tried again with its next save.
                output.error(unusable)
            output.say(f"{time.perf_counter() - began:.2f} s; waiting for a save, Ctrl-C ends", "dim")
            if bench.plugin is not None:
                trier.prepare(bench.plugin)
            known, changed = await wait_for_save(bench.folder, others, known)
    finally:
        await hosts.close()


async def _try(bench: Bench, trier: Trier, output: Output, *, is_first: bool) -> tuple[Report, dict[str, Any]]:
    from mixpeek.cli.report import Report
    from mixpeek.inspection.limits import ArchiveRefused

    report = Report(output)
    try:
        plugin = bench.pack()
    except ArchiveRefused as refused:
        report.add_refused_archive(refused.findings)
        return report, {}
    if is_first:
        trier.prepare(plugin, whole=False)
    return report, await trier.run(plugin, report)


def _start(samples: Path | None) -> Any:
    from mixpeek.cli.asking import author_broker
    from mixpeek.cli.sample_files import assets_folder
    from mixpeek.cli.trying import Trier
    from mixpeek.execution.grants import Grants
    from mixpeek.execution.local import LocalExecution
    from mixpeek.execution.spares import SpareHosts

    # An author's machine seldom has the server's GPU: the samples then run on the processor, and a warning says so.
    broker = author_broker(assets_folder(samples) if samples else None)
    hosts = SpareHosts(LocalExecution(Grants.here(gpu_fallback=True), broker=broker))
    return hosts, Trier(hosts, samples)


def _name(bench: Bench, learned: dict[str, Any]) -> str:
    return learned.get("name") or bench.folder.resolve().name


def _say_changes(output: Output, folder: Path, changed: Iterable[str]) -> None:
    root = folder.resolve()
    for path in changed:
        resolved = Path(path).resolve()
        shown = resolved.relative_to(root) if resolved.is_relative_to(root) else resolved
        output.say(f"changed: {shown}", "dim")


def _conclude(
    output: Output, report: Report, name: str, hint: str = "Publish it with `mixpeek plugin publish`"
) -> None:
    failed = [check["name"] for check in report.checks if check["status"] == "failed"]
    if failed:
        output.show(f"\n{name} failed: {', '.join(failed)}", "bold red")
        return
    passed = sum(check["status"] in {"passed", "warned"} for check in report.checks)
    output.show(f"\n{name} passed {passed} checks", "bold green")
    if hint:
        output.say(hint, "dim")
