"""`mixpeek plugin lint`: every finding about a plugin's files, without its tests and without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json, Strict, Verbose
from mixpeek.cli.output import output_for

if TYPE_CHECKING:
    from mixpeek.cli.packing import PackedPlugin
    from mixpeek.cli.report import Report


def lint(
    context: typer.Context,
    *,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Folder of the plugin.")] = ".",
    strict: Strict = False,
    static: Annotated[bool, typer.Option("--static", help="Run nothing of the plugin; read its files only.")] = False,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Check structure, code, manifest and secrets of a plugin; needs no server."""
    # The examination is slow to import; `mixpeek --help` must not wait for it.
    import asyncio

    from mixpeek.cli.packing import packed, plugin_folder
    from mixpeek.cli.report import Report
    from mixpeek.inspection.limits import ArchiveRefused

    output = output_for(context, json, verbose=verbose, report_on_stdout=True)
    folder = plugin_folder(path)
    report = Report(output, strict=strict)
    learned: dict[str, Any] = {}
    try:
        with packed(folder) as plugin:
            learned = asyncio.run(_lint(plugin, report, is_static=static))
    except ArchiveRefused as refused:
        report.add_refused_archive(refused.findings)
    output.document(report.document(path=str(folder), **learned))
    errors = sum(finding.is_error for finding in report.findings)
    warnings = len(report.findings) - errors
    counted = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    output.show(f"\n{learned.get('name') or folder.resolve().name}: {counted}", "bold red" if report.failed else "bold")
    if report.failed:
        raise typer.Exit(1)


async def _lint(plugin: PackedPlugin, report: Report, *, is_static: bool) -> dict[str, Any]:
    from mixpeek.cli.asking import author_broker
    from mixpeek.cli.checking import check_secrets, examine_packed
    from mixpeek.cli.report import describe
    from mixpeek.execution.local import LocalExecution

    execution = LocalExecution(broker=author_broker())
    try:
        examination = await examine_packed(None if is_static else execution, plugin, report, is_built_later=True)
    finally:
        await execution.close()
    check_secrets(report)
    return describe(examination)
