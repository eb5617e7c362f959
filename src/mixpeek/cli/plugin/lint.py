"""`mixpeek plugin lint`: every finding about a plugin's files, without its tests and without a server."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.options import Json, Strict, Verbose, globals_of
from mixpeek.cli.output import Output
from mixpeek.errors import InvalidRequest

if TYPE_CHECKING:
    from pathlib import Path

    from mixpeek.cli.packing import PackedPlugin
    from mixpeek.cli.report import Report
    from mixpeek.examination.examination import Examination

_MANIFEST = "manifest.py"


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def lint(
    context: typer.Context,
    *,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH", help="Folders of plugins, or files in them; default is this one.", show_default=False
        ),
    ] = None,
    strict: Strict = False,
    run: Annotated[
        bool,
        typer.Option("--run/--static", help="Run manifest.py, build_steps and realtime.py too, as the server does."),
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired mechanically.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="Repair also where that may change results.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="Explain a rule and end.", show_default=False)
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print findings.")] = Format.TEXT,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Check structure, code, manifest and secrets of a plugin; needs no server.

    Exits 0 where no finding is an error, 1 where one is (with --strict, also for a warning; with --diff, where there is
    something to change), 2 for a call that makes no sense.
    """
    is_json = json or format is Format.JSON or globals_of(context).json
    if is_json and format is Format.GITHUB:
        raise InvalidRequest("`--json` and `--format github` exclude each other", hint="Leave one of them out")
    output = Output(is_json, verbose=verbose, report_on_stdout=True)
    if explain is not None:
        from mixpeek.cli.explaining import explain as explain_rule

        explain_rule(explain, output)
        return
    folders = _folders(paths or ["."])
    if unsafe_fixes and not (fix or diff):
        raise InvalidRequest(
            "`--unsafe-fixes` changes nothing by itself", hint="Add `--fix`, or `--diff` to look first"
        )
    if diff:
        _show_repairs(folders, output, unsafe=unsafe_fixes)
        return
    documents = []
    for folder in folders:
        repaired = _repair(folder, output, unsafe=unsafe_fixes) if fix else None
        documents.append(_lint(folder, output, strict=strict, run=run, repaired=repaired, format=format))
    failed = not all(document["success"] for document in documents)
    if len(documents) == 1:
        output.document(documents[0])
    else:
        output.document({"success": not failed, "plugins": documents})
    if failed:
        raise typer.Exit(1)


def _folders(paths: list[str]) -> list[Path]:
    """Return the folders that are plugins' own, each once; a file stands for the plugin that it is part of."""
    from pathlib import Path

    from mixpeek.cli.packing import plugin_folder

    found: dict[Path, Path] = {}
    for path in paths:
        given = Path(path)
        if not given.is_file():
            found.setdefault(plugin_folder(path).resolve(), given)
            continue
        for folder in given.parents:
            if (folder / _MANIFEST).is_file():
                found.setdefault(folder.resolve(), folder)
                break
    return list(found.values())


def _lint(
    folder: Path, output: Output, *, strict: bool, run: bool, repaired: list[dict[str, Any]] | None, format: Format
) -> dict[str, Any]:
    from mixpeek.cli.packing import packed
    from mixpeek.cli.report import Report, describe
    from mixpeek.inspection.limits import ArchiveRefused

    is_github = format is Format.GITHUB
    # Annotations are printed in place of the text, and from the same report.
    report = Report(Output(json_mode=True) if is_github else output, strict=strict)
    learned: dict[str, Any] = {}
    try:
        with packed(folder) as plugin:
            if run:
                import asyncio

                learned = describe(asyncio.run(_examine_running(plugin, report)))
            else:
                learned = describe(_examine_files(plugin, report))
            report.say_if_no_secrets()
    except ArchiveRefused as refused:
        report.add_refused_archive(refused.findings)
    if is_github:
        from mixpeek.cli.annotations import annotation

        for finding in report.findings:
            output.show(annotation(finding, folder))
    errors = sum(finding.is_error for finding in report.findings)
    warnings = len(report.findings) - errors
    counted = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    name = learned.get("name") or folder.resolve().name
    output.show(f"{'' if is_github else chr(10)}{name}: {counted}", "bold red" if report.failed else "bold")
    fixes = {} if repaired is None else {"repaired": repaired}
    return report.document(path=str(folder), **learned, **fixes)


def _examine_files(plugin: PackedPlugin, report: Report) -> Examination:
    import os

    from mixpeek.examination.files import examine_files
    from mixpeek.inspection.severities import VARIABLE, overrides_from

    examination = examine_files(plugin.unpacked, overrides_from(os.environ.get(VARIABLE, "")))
    report.add_examination(examination, unreached="only a run shows them: `--run`, or `mixpeek plugin test`")
    return examination


async def _examine_running(plugin: PackedPlugin, report: Report) -> Examination:
    from mixpeek.cli.asking import author_broker
    from mixpeek.cli.checking import examine_packed
    from mixpeek.execution.local import LocalExecution

    execution = LocalExecution(broker=author_broker())
    try:
        return await examine_packed(execution, plugin, report, is_built_later=True)
    finally:
        await execution.close()


def _repair(folder: Path, output: Output, *, unsafe: bool) -> list[dict[str, Any]]:
    from mixpeek.cli.repairing import repairs, write

    repaired: list[dict[str, Any]] = []
    for one in list(repairs(folder, unsafe=unsafe)):
        write(folder, one)
        for finding in one.findings:
            output.say(f"repaired {finding.place}  {finding.rule}  {finding.message}", "green")
            repaired.append({"rule": finding.rule, "path": finding.path, "line": finding.line})
    return repaired


def _show_repairs(folders: list[Path], output: Output, *, unsafe: bool) -> None:
    from mixpeek.cli.repairing import repairs

    found = [one for folder in folders for one in repairs(folder, unsafe=unsafe)]
    for one in found:
        output.diff(one.diff)
    changes = [
        {"path": one.path, "diff": one.diff, "rules": sorted({finding.rule for finding in one.findings})}
        for one in found
    ]
    output.document({"success": not found, "changes": changes})
    if found:
        raise typer.Exit(1)
