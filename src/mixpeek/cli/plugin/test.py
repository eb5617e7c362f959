"""`mixpeek plugin test`: what the server will check, the plugin's own tests, and sample data, all in the real host."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json, PluginPath, Verbose
from mixpeek.cli.output import Output, output_for

if TYPE_CHECKING:
    from mixpeek.cli.packing import PackedPlugin
    from mixpeek.cli.report import Report
    from mixpeek.cli.samples import Row
    from mixpeek.examination.examine import Examination
    from mixpeek.execution.port import Execution, HostSpec

_NO_TESTS = 5  # pytest's exit code where it collected nothing


def test(
    context: typer.Context,
    *,
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
    from mixpeek.cli.packing import packed, plugin_folder
    from mixpeek.cli.report import Report
    from mixpeek.cli.samples import read_samples
    from mixpeek.inspection.limits import ArchiveRefused

    output = output_for(context, json, verbose=verbose, report_on_stdout=True)
    folder = plugin_folder(path)
    rows = None if sample_data is None else read_samples(sample_data)
    report = Report(output)
    learned: dict[str, Any] = {}
    try:
        with packed(folder) as plugin:
            learned = asyncio.run(_test(plugin, rows, report))
    except ArchiveRefused as refused:
        report.add_refused_archive(refused.findings)
    output.document(report.document(path=str(folder), **learned))
    _conclude(output, report, learned.get("name") or folder.resolve().name)


def _conclude(output: Output, report: Report, name: str) -> None:
    failed = [check["name"] for check in report.checks if check["status"] == "failed"]
    if failed:
        output.show(f"\n{name} failed: {', '.join(failed)}", "bold red")
        raise typer.Exit(1)
    passed = sum(check["status"] in {"passed", "warned"} for check in report.checks)
    output.show(f"\n{name} passed {passed} checks", "bold green")
    output.say("Publish it with `mixpeek plugin publish`", "dim")


async def _test(plugin: PackedPlugin, rows: list[Row] | None, report: Report) -> dict[str, Any]:
    from mixpeek.cli.progress import spinner
    from mixpeek.cli.report import describe
    from mixpeek.examination.examine import examine
    from mixpeek.execution.local import LocalExecution
    from mixpeek.execution.port import HostSpec

    execution = LocalExecution()
    try:
        with spinner(report.output, "Examining"):
            examination = await examine(execution, plugin.unpacked)
        report.add_examination(examination)
        learned = describe(examination)
        spec = HostSpec(plugin_dir=plugin.unpacked.root, name=examination.package)
        learned["tests"] = await _run_tests(execution, spec, report)
        if rows is not None:
            learned["samples"] = await _run_samples(execution, spec, examination, rows, report)
        return learned
    finally:
        await execution.close()


async def _run_tests(execution: Execution, spec: HostSpec, report: Report) -> dict[str, Any] | None:
    from mixpeek.cli.progress import spinner

    if any(check["status"] == "failed" for check in report.checks[:2]):
        report.add("Tests", "not reached", status="skipped")
        return None
    if not (spec.plugin_dir / "tests").is_dir():
        report.add("Tests", "there is no folder tests/", status="skipped")
        return None
    with spinner(report.output, "Running the plugin's tests"):
        result = await execution.pytest(spec)
    status = {0: "passed", _NO_TESTS: "warned"}.get(result.exit_code, "failed")
    report.add("Tests", _last_line(result.output), status=status)
    if status == "failed" or report.output.verbose:
        report.output.quote(result.output)
    return {"exit_code": result.exit_code, "output": result.output}


async def _run_samples(
    execution: Execution, spec: HostSpec, examination: Examination, rows: list[Row], report: Report
) -> dict[str, Any] | None:
    from mixpeek.cli.progress import spinner
    from mixpeek.cli.samples import run_samples

    if examination.manifest is None or not examination.passed:
        report.add("Sample data", "not reached", status="skipped")
        return None
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


def _last_line(text: str) -> str:
    lines = [line.strip(" =") for line in text.splitlines() if line.strip(" =")]
    return lines[-1] if lines else ""


def _short(value: Any) -> str:
    if isinstance(value, list):
        head = ", ".join(_short(item) for item in value[:4])
        return f"[{head}, … {len(value)} in all]" if len(value) > 4 else f"[{head}]"
    text = f"{value:.4f}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
