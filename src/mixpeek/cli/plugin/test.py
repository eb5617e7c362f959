"""`mixpeek plugin test`: what the server will check, the plugin's own tests, and sample data, all in the real host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json, PluginPath, Verbose
from mixpeek.cli.output import Output, output_for
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from mixpeek.cli.packing import PackedPlugin
    from mixpeek.cli.report import Report
    from mixpeek.examination.examine import Examination
    from mixpeek.examination.samples import Row
    from mixpeek.execution.local import LocalExecution
    from mixpeek.execution.port import HostSpec


def test(
    context: typer.Context,
    *,
    folder: Annotated[
        str | None, typer.Argument(metavar="[FOLDER]", help="The same as `--path`.", show_default=False)
    ] = None,
    path: PluginPath = ".",
    sample_data: Annotated[
        Path | None,
        typer.Option("--sample-data", "-s", help="JSON or CSV file with rows to run.", show_default=False),
    ] = None,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Check a plugin, run its tests, and run sample data through it."""
    # The examination is slow to import; `mixpeek --help` must not wait for it.
    import asyncio

    from mixpeek.cli.packing import packed, plugin_folder
    from mixpeek.cli.report import Report
    from mixpeek.examination.samples import read_samples
    from mixpeek.inspection.limits import ArchiveRefused

    output = output_for(context, json, verbose=verbose, report_on_stdout=True)
    if folder is not None and path != ".":
        raise InvalidRequest("The folder is given twice", hint="Pass it with `--path`, or alone")
    root = plugin_folder(folder or path)
    rows = None if sample_data is None else read_samples(sample_data)
    report = Report(output)
    learned: dict[str, Any] = {}
    try:
        with packed(root) as plugin:
            learned = asyncio.run(_test(plugin, rows, report, sample_data and sample_data.parent))
    except ArchiveRefused as refused:
        report.add_refused_archive(refused.findings)
    output.document(report.document(path=str(root), **learned))
    _conclude(output, report, learned.get("name") or root.resolve().name)


def _conclude(output: Output, report: Report, name: str) -> None:
    failed = [check["name"] for check in report.checks if check["status"] == "failed"]
    if failed:
        output.show(f"\n{name} failed: {', '.join(failed)}", "bold red")
        raise typer.Exit(1)
    passed = sum(check["status"] in {"passed", "warned"} for check in report.checks)
    output.show(f"\n{name} passed {passed} checks", "bold green")
    output.say("Publish it with `mixpeek plugin publish`", "dim")


async def _test(plugin: PackedPlugin, rows: list[Row] | None, report: Report, samples: Path | None) -> dict[str, Any]:
    from mixpeek.cli.asking import author_broker
    from mixpeek.cli.checking import examine_packed, host_spec, run_tests
    from mixpeek.cli.report import describe
    from mixpeek.execution.grants import Grants
    from mixpeek.execution.local import LocalExecution

    # An author's machine seldom has the server's GPU: the samples then run on the processor, and a warning says so.
    execution = LocalExecution(Grants.here(gpu_fallback=True), broker=author_broker(samples))
    try:
        examination = await examine_packed(execution, plugin, report)
        learned = describe(examination)
        spec = host_spec(plugin, examination)
        learned["tests"] = await run_tests(execution, spec, report)
        if rows is not None:
            learned["samples"] = await _run_samples(execution, spec, examination, rows, report)
        return learned
    finally:
        await execution.close()


async def _run_samples(
    execution: LocalExecution, spec: HostSpec, examination: Examination, rows: list[Row], report: Report
) -> dict[str, Any] | None:
    from mixpeek.cli.checking import warn_of_grants
    from mixpeek.cli.progress import spinner
    from mixpeek.cli.samples import run_samples

    if examination.manifest is None or not examination.passed:
        report.add("Sample data", "not reached", status="skipped")
        return None
    warn_of_grants(execution.grants, spec, report)
    with spinner(report.output, "Running the sample data"):
        host = await execution.start(spec)
        try:
            run = await run_samples(host, examination.manifest, examination.realtime, rows)
            printed = host.stderr_tail()
        finally:
            await host.close()
    realtime = f", {run.realtime_rows} through realtime" if run.realtime_rows else ""
    report.add("Sample data", f"{len(rows)} rows{realtime}", run.findings)
    if report.output.verbose:
        for number, row in enumerate(run.rows[:5], start=1):
            report.output.quote(f"row {number}: " + ", ".join(f"{key} = {_short(row[key])}" for key in run.columns))
        report.output.quote(printed)
    first = {key: _short(value) for key, value in run.rows[0].items()} if run.rows else None
    return {"rows": len(rows), "columns": run.columns, "realtime_rows": run.realtime_rows, "first_row": first}


def _short(value: Any) -> str:
    if isinstance(value, list):
        head = ", ".join(_short(item) for item in value[:4])
        return f"[{head}, … {len(value)} in all]" if len(value) > 4 else f"[{head}]"
    text = f"{value:.4f}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
