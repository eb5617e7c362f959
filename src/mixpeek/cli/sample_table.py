"""What sample rows became, as a table and in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mixpeek.cli.output import Output
from mixpeek.contract.columns import DATA
from mixpeek.execution.port import GIB

if TYPE_CHECKING:
    from mixpeek.cli.report import Report
    from mixpeek.cli.samples import SampleRun
    from mixpeek.contract.manifest import Manifest
    from mixpeek.examination.examination import Examination
    from mixpeek.examination.samples import Row

_ROWS_SHOWN = 5
_ROWS_SHOWN_VERBOSE = 50
_CELL = 44
# Above this share of its limit, a host that got larger rows would be stopped.
_NEARLY = 0.8
_MIB = 1024**2


def show_table(output: Output, rows: Sequence[Row], run: SampleRun, manifest: Manifest) -> None:
    """Print the rows with what was made of them; of an exploding plugin, one line per part."""
    if output.json_mode or not run.made:
        return
    names = [name for name in run.columns if name in {feature.feature_name for feature in manifest.features}]
    names += [name for name in run.columns if name not in names]
    lines = [
        [str(number), short(_content(row)), *(short(part.get(name)) for name in names)]
        for number, (row, parts) in enumerate(zip(rows, run.made, strict=False), start=1)
        for part in parts
    ]
    shown = lines[: _ROWS_SHOWN_VERBOSE if output.verbose else _ROWS_SHOWN]
    output.table(["  ROW", "CONTENT", *names], [[f"  {line[0]}", *line[1:]] for line in shown], empty="")
    if len(shown) < len(lines):
        output.say(f"  … and {len(lines) - len(shown)} more", "dim")


def timings_of(examination: Examination, run: SampleRun, manifest: Manifest) -> dict[str, Any]:
    """Return times in seconds and memory in bytes, None where something was not reached."""
    took = examination.took_s
    realtime = run.realtime_s
    return {
        "import_s": took.get("manifest", 0.0) + took.get("pipeline", 0.0),
        "load_s": run.load_s,
        "first_row_s": run.first_s,
        "rows_per_s": run.rows_per_s,
        "realtime_first_s": realtime[0] if realtime else None,
        "realtime_s": sorted(realtime)[len(realtime) // 2] if realtime else None,
        "batch_bytes": run.batch_bytes or None,
        "realtime_bytes": run.realtime_bytes or None,
        "memory_limit_bytes": int(manifest.compute_profile.actor_memory_gb * GIB),
    }


def show_timings(report: Report, timings: dict[str, Any]) -> None:
    """Add the check of times and memory; it warns where little memory is left."""
    if timings["rows_per_s"] is None:
        report.add("Timings", "not reached", status="skipped")
        return
    words = [
        f"import {timings['import_s']:.2f} s",
        f"load {timings['load_s']:.2f} s",
        f"first row {timings['first_row_s']:.2f} s",
        f"{timings['rows_per_s']:,.0f} rows/s",
    ]
    if timings["realtime_s"] is not None:
        words.append(f"realtime {timings['realtime_s'] * 1000:.1f} ms")
    held, limit = timings["batch_bytes"] or 0, timings["memory_limit_bytes"]
    words.append(f"memory {held / _MIB:,.0f} of {limit / _MIB:,.0f} MiB")
    is_near = held > _NEARLY * limit
    if is_near:
        words.append("close to `actor_memory_gb`: raise it, or larger rows will end the host")
    report.add("Timings", ", ".join(words), status="warned" if is_near else "passed")


def short(value: Any) -> str:
    """Return a value in a few words: of a list, its first numbers and how many there are."""
    if isinstance(value, list):
        head = ", ".join(short(item) for item in value[:4])
        return f"[{head}, … {len(value)} in all]" if len(value) > 4 else f"[{head}]"
    text = f"{value:.4f}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _content(row: Row) -> Any:
    return row.get(DATA, row.get("text", next(iter(row.values()), None)))
