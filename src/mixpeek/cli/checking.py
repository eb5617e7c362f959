"""The checks of a packed plugin, in the order in which `lint`, `test` and `publish` make and print them.

Each adds what it found to the report; what a check finds is decided in `examination` and `inspection`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mixpeek.cli.local_models import list_local_models
from mixpeek.cli.packing import PackedPlugin
from mixpeek.cli.progress import spinner
from mixpeek.cli.report import Report, size_text
from mixpeek.cli.surroundings import read_surroundings
from mixpeek.contract.pipeline import ResourceType
from mixpeek.examination.examination import Examination
from mixpeek.examination.examine import examine
from mixpeek.execution.grants import Grants
from mixpeek.execution.needs import with_needs
from mixpeek.execution.port import GIB, HostSpec
from mixpeek.execution.sandbox import probe
from mixpeek.inspection.severities import VARIABLE, overrides_from

if TYPE_CHECKING:
    from mixpeek.execution.port import Execution, Host

# Where these fail, nothing of the plugin is run.
_BEFORE_CODE = frozenset({"Structure", "Security scan"})
_NO_TESTS = 5  # pytest's exit code where it collected nothing
_FILES_SHOWN = 20
# What failing tests say is long; their last lines name each failure.
FAILURE_LINES = 40


async def examine_packed(
    execution: Execution,
    plugin: PackedPlugin,
    report: Report,
    *,
    is_built_later: bool = False,
    cleared: Callable[[], None] | None = None,
    keep: Callable[[Host], None] | None = None,
) -> Examination:
    """Examine the plugin in the author's surroundings.

    Args:
        is_built_later: whether a server will install what is declared and is not installed here.
        cleared, keep: as in `examine`.
    """
    # The server's own setting, so that both say the same.
    overrides = overrides_from(os.environ.get(VARIABLE, ""))
    surroundings = read_surroundings()
    for warning in surroundings.warnings:
        report.output.say(f"warning: {warning}", "yellow")
    with spinner(report.output, "Examining"):
        examination = await examine(
            execution,
            plugin.unpacked,
            extra_paths=surroundings.paths,
            overrides=overrides,
            is_built_later=is_built_later,
            background=False,
            cleared=cleared,
            keep=keep,
        )
    report.add_examination(examination)
    return examination


def first_spec(plugin: PackedPlugin, package: str) -> HostSpec:
    """Return the host in which an examination runs the plugin, as long as nothing is known of its manifest."""
    paths = read_surroundings().paths
    return HostSpec(plugin_dir=plugin.unpacked.root, name=package, extra_paths=paths, background=False)


def host_spec(plugin: PackedPlugin, examination: Examination) -> HostSpec:
    """Return the host in which to run the plugin further: a server's memory for it, what its steps need."""
    spec, manifest = first_spec(plugin, examination.package), examination.manifest
    if manifest is None:
        return with_needs(spec, ResourceType.CPU, examination.steps)
    profile = manifest.compute_profile
    spec = replace(spec, memory_bytes=int(profile.actor_memory_gb * GIB), models=list_local_models(manifest.models))
    return with_needs(spec, profile.resource_type, examination.steps)


def warn_of_grants(grants: Grants, spec: HostSpec, report: Report) -> None:
    """Say where this machine gives the plugin something else than a server would; raise EgressOff."""
    _, warnings = grants.decide(spec)
    mode = probe().mode
    if spec.network and mode != "bubblewrap":
        warnings = [*warnings, f"Network: {grants.egress_status(mode).detail}"]
    for warning in warnings:
        report.output.say(f"warning: {warning}", "yellow")


async def run_tests(execution: Execution, spec: HostSpec, report: Report) -> dict[str, Any] | None:
    """Run the plugin's own tests, if it has any and could be read; return pytest's exit code and output."""
    if any(check["status"] == "failed" for check in report.checks if check["name"] in _BEFORE_CODE):
        report.add("Tests", "not reached", status="skipped")
        return None
    if not (spec.plugin_dir / "tests").is_dir():
        report.add("Tests", "there is no folder tests/", status="skipped")
        return None
    if any(finding.rule.startswith("dependencies.not_installed") for finding in report.findings):
        report.add("Tests", "not run: a declared dependency is not installed here", status="warned")
        return None
    with spinner(report.output, "Running the plugin's tests"):
        result = await execution.pytest(spec)
    status = {0: "passed", _NO_TESTS: "warned"}.get(result.exit_code, "failed")
    report.add("Tests", _last_line(result.output), status=status)
    if report.output.verbose:
        report.output.quote(result.output)
    elif status == "failed":
        lines = result.output.rstrip().splitlines()
        shown = lines[-FAILURE_LINES:]
        if len(lines) > len(shown):
            report.output.quote(f"… {len(lines) - len(shown)} lines more; `--verbose` shows all of them")
        report.output.quote("\n".join(shown))
    return {"exit_code": result.exit_code, "output": result.output}


def list_files(plugin: PackedPlugin, report: Report) -> dict[str, Any]:
    """Print what is packed, and what a .gitignore left out; return both for JSON mode."""
    files, output = plugin.unpacked.files, report.output
    size_bytes = sum(file.size_bytes for file in files)
    report.add("Packed", f"{len(files)} files, {size_text(size_bytes)}; {size_text(len(plugin.archive))} to send")
    shown = files if output.verbose else files[:_FILES_SHOWN]
    width = max(len(f"{file.size_bytes:,}") for file in files)
    for file in shown:
        output.say(f"    {file.size_bytes:>{width},}  {file.path}", "dim")
    if len(shown) < len(files):
        output.say(f"    … and {len(files) - len(shown)} more; `--verbose` lists all", "dim")
    if plugin.left_out_by_git:
        output.say(f"  left out by .gitignore: {', '.join(plugin.left_out_by_git)}", "yellow")
    return {
        "archive_bytes": len(plugin.archive),
        "size_bytes": size_bytes,
        "files": [file.path for file in files],
        "left_out_by_git": list(plugin.left_out_by_git),
    }


def _last_line(text: str) -> str:
    lines = [line.strip(" =") for line in text.splitlines() if line.strip(" =")]
    return lines[-1] if lines else ""
