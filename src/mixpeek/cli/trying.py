"""One try of a packed plugin: what a server would check, its own tests, sample rows, and what production would do.

Every part of it that runs plugin code does so in hosts: one that reads and runs the batch, one for realtime, one for
the tests, beside each other where memory allows.
"""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixpeek.cli.checking import examine_packed, first_spec, host_spec, run_tests, warn_of_grants
from mixpeek.cli.packing import PackedPlugin
from mixpeek.cli.production import as_lines, foresee_production
from mixpeek.cli.report import Report, describe
from mixpeek.cli.sample_files import named_as_input, read_sample_data
from mixpeek.cli.sample_table import short, show_table, show_timings, timings_of
from mixpeek.cli.samples import SampleRun, run_batch, run_realtime
from mixpeek.contract.manifest import Manifest
from mixpeek.deployments.serve_plan import plan_from_manifest
from mixpeek.errors import EnvironmentUnavailable, PluginError
from mixpeek.examination.examination import Examination
from mixpeek.examination.examine import package_of
from mixpeek.examination.failures import finding_from_failure
from mixpeek.examination.samples import Row, find_shipped, read_shipped
from mixpeek.execution import sandbox
from mixpeek.execution.local import for_tests
from mixpeek.execution.port import Host, HostSpec, Libraries
from mixpeek.execution.spares import SpareHosts
from mixpeek.inspection.findings import has_errors
from mixpeek.inspection.imports import list_imports

if TYPE_CHECKING:
    from collections.abc import Sequence

_REALTIME = "realtime"


class Trier:
    """Tries one plugin, again and again: hosts that a try needs may be started before it."""

    def __init__(self, hosts: SpareHosts, samples: Path | None) -> None:
        self._hosts = hosts
        self._samples = samples
        self._specs: list[HostSpec] = []

    def prepare(self, plugin: PackedPlugin, *, whole: bool = True) -> None:
        """Start hosts for the next try: those of the last one; before the first, and not `whole`, that of the tests."""
        root = plugin.unpacked.root
        if not any(path.suffix == ".py" for path in root.rglob("*")):
            return
        modules = list_imports(root)
        for spec in self._specs if whole and self._specs else [self._tests_spec(plugin)]:
            is_tests = spec.label == "tests"
            if not is_tests or (root / "tests").is_dir():
                self._hosts.prepare(spec, Libraries(modules, pytest=is_tests))

    async def run(self, plugin: PackedPlugin, report: Report) -> dict[str, Any]:
        """Check, test and run a plugin; return what JSON mode prints beside checks and findings."""
        say_sandbox(report)
        kept: list[Host] = []

        def begin_tests() -> None:
            spec = self._tests_spec(plugin)
            if (spec.plugin_dir / "tests").is_dir() and _fits_twice(spec):
                self._hosts.begin_tests(spec)

        examination = await examine_packed(self._hosts, plugin, report, cleared=begin_tests, keep=kept.append)
        learned = describe(examination)
        spec = host_spec(plugin, examination)
        first = first_spec(plugin, examination.package)
        running: asyncio.Task[tuple[list[Row], SampleRun]] | None = None
        try:
            rows, origin = self._rows(plugin.unpacked.root)
            manifest = examination.manifest
            if rows is not None and manifest is not None and self._samples is not None and self._samples.is_dir():
                rows = named_as_input(rows, manifest.input_schema)
            if rows is None or manifest is None or not examination.passed:
                self._specs = [first, for_tests(spec)]
                learned["tests"] = await run_tests(self._hosts, spec, report)
                learned["samples"] = None
                report.add("Sample data", origin if rows is None else "not reached", status="skipped")
            else:
                warn_of_grants(self._hosts.grants, spec, report)
                run = self._sampled(examination, manifest, spec, rows, kept if spec == first else [])
                if _fits_twice(spec):
                    running = asyncio.create_task(run)
                    learned["tests"] = await run_tests(self._hosts, spec, report)
                    done = await running
                else:
                    learned["tests"] = await run_tests(self._hosts, spec, report)
                    done = await run
                learned |= _tell(report, examination, manifest, done, f"{origin}: ")
            if manifest is not None:
                learned["production"] = _foresee(report, manifest, spec, examination, plugin)
        finally:
            if running is not None and not running.done():
                running.cancel()
            await self._hosts.abandon_tests()
            for host in kept:
                self._hosts.leave(host)
        return learned

    def _tests_spec(self, plugin: PackedPlugin) -> HostSpec:
        """Return what the tests' host was the last time, or should be; where that changes, they are run anew."""
        return self._specs[-1] if self._specs else for_tests(first_spec(plugin, package_of(plugin.unpacked)))

    def _rows(self, root: Path) -> tuple[list[Row] | None, str]:
        if self._samples is not None:
            return read_sample_data(self._samples), self._samples.name
        shipped = find_shipped(root)
        if shipped is None:
            return None, "none: pass `--sample-data`, or ship a samples.json"
        return read_shipped(shipped), shipped.name

    async def _sampled(
        self, examination: Examination, manifest: Manifest, spec: HostSpec, rows: list[Row], kept: list[Host]
    ) -> tuple[list[Row], SampleRun]:
        plan = plan_from_manifest(manifest, idle_s=0)
        asked = dataclasses.replace(spec, memory_bytes=plan.memory_bytes, label=_REALTIME)
        self._specs = [spec, *([asked] if examination.realtime else []), for_tests(spec)]
        warm = None
        if examination.realtime and _fits_twice(spec):
            # Starts and loads while the batch runs.
            warm = asyncio.create_task(self._warm(asked, plan.start_timeout_s))
        host = kept[0] if kept else await self._hosts.start(spec)
        try:
            run = await run_batch(host, manifest, rows)
        finally:
            if not kept:
                self._hosts.leave(host)
        if examination.realtime is None:
            return rows, run
        if has_errors(run.findings) and not run.made:
            if warm is not None:
                await _close_once_made(warm)
            return rows, run
        try:
            handler = await (warm or self._warm(asked, plan.start_timeout_s))
        except PluginError as failure:
            run.findings.append(finding_from_failure(failure, "samples.realtime_failed", "realtime.py"))
            return rows, run
        try:
            await run_realtime(handler, manifest, rows, run)
        finally:
            self._hosts.leave(handler)
        return rows, run

    async def _warm(self, spec: HostSpec, timeout_s: float) -> Host:
        host = await self._hosts.start(spec)
        try:
            await host.describe("realtime")
            await host.warmup(timeout_s=timeout_s)
        except BaseException:
            await host.close()
            raise
        return host


async def _close_once_made(warm: asyncio.Task[Host]) -> None:
    try:
        host = await warm
    except PluginError:
        return  # the batch has failed already, and says why
    await host.close()


def say_sandbox(report: Report) -> None:
    """Say whether what follows is isolated; raise SandboxUnavailable where it can neither be nor need not be."""
    status = sandbox.require()
    if status.mode == "off":
        report.add("Sandbox", status.detail, status="warned")
    else:
        report.add("Sandbox", f"bubblewrap: {status.detail}")


def _tell(
    report: Report,
    examination: Examination,
    manifest: Manifest,
    done: tuple[Sequence[Row], SampleRun],
    origin: str,
) -> dict[str, Any]:
    rows, run = done
    realtime = f", {run.realtime_rows} through realtime" if run.realtime_rows else ""
    report.add("Sample data", f"{origin}{len(rows)} rows{realtime}", run.findings)
    show_table(report.output, rows, run, manifest)
    if run.realtime_rows and manifest.embeddings:
        like = "not compared" if run.likeness is None else f"least cosine to batch {run.likeness:.4f}"
        report.add("Parity", like, status="skipped" if run.likeness is None else "passed")
    timings = timings_of(examination, run, manifest)
    show_timings(report, timings)
    first = {key: short(value) for key, value in run.rows[0].items()} if run.rows else None
    samples = {"rows": len(rows), "columns": run.columns, "realtime_rows": run.realtime_rows, "first_row": first}
    return {"samples": {**samples, "least_cosine": run.likeness}, "timings": timings}


def _foresee(
    report: Report, manifest: Manifest, spec: HostSpec, examination: Examination, plugin: PackedPlugin
) -> dict[str, str] | None:
    try:
        foreseen = foresee_production(manifest, spec, examination.realtime, plugin.unpacked.root)
    except EnvironmentUnavailable as error:
        report.add("Production", f"{error.message}. {error.hint}", status="failed")
        return None
    report.add("Production", "as a server set up like this machine would run it")
    report.output.quote("\n".join(as_lines(foreseen)))
    return foreseen


def _fits_twice(spec: HostSpec) -> bool:
    """Tell whether several hosts may run beside each other: without a GPU, and within half of what memory is free."""
    if spec.gpu:
        return False
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return True  # not Linux: the system swaps
    return 3 * spec.memory_bytes <= free // 2 or free > 8 * 1024**3
