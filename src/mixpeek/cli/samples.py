"""Sample data: runs rows through batch and realtime, each in a host of its own, checks and times what comes back."""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mixpeek.contract.columns import DATA, DOCUMENT_ID, SYSTEM_COLUMNS
from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.errors import PluginError
from mixpeek.examination.samples import Row, frame_of
from mixpeek.examination.vectors import PARITY, cosine, fault_of_vector, vector_from_reply
from mixpeek.execution.port import CALL_TIMEOUT_S
from mixpeek.inspection.findings import Finding, error, warning

if TYPE_CHECKING:
    import pyarrow as pa

    from mixpeek.execution.port import Host

# Enough to see whether realtime agrees with the batch, without doubling the time of a test.
_REALTIME_ROWS = 3
# A row on its own and the same row among others: arithmetic may differ in what it rounds, not in what it says.
_ALONE = 0.9


@dataclass
class SampleRun:
    """What a run over sample rows found; `made` is what each sample became: its parts, if the plugin explodes.

    Times are in seconds: `first_s` of the first call, which loads what is loaded late, `batch_s` of all rows after it;
    `realtime_s` of each realtime request. Memory is what each host held in the end.
    """

    findings: list[Finding] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    made: list[list[Row]] = field(default_factory=list)
    first_s: float | None = None
    batch_s: float | None = None
    batch_bytes: int = 0
    realtime_s: list[float] = field(default_factory=list)
    realtime_bytes: int = 0
    likeness: float | None = None

    @property
    def realtime_rows(self) -> int:
        """How many rows realtime was asked."""
        return len(self.realtime_s)

    @property
    def rows_per_s(self) -> float | None:
        """How many of the rows a second, once everything is loaded."""
        return len(self.made) / self.batch_s if self.batch_s else None

    @property
    def load_s(self) -> float | None:
        """What the first call took beyond what one row takes later."""
        if self.first_s is None or self.batch_s is None:
            return None
        return max(0.0, self.first_s - self.batch_s / len(self.made))


async def run_batch(host: Host, manifest: Manifest, rows: Sequence[Row]) -> SampleRun:
    """Run rows through the pipeline built with default parameters: the last one alone, then all of them."""
    run = SampleRun(findings=_check_columns(rows, manifest))
    try:
        await host.build({})
        table = frame_of(rows, manifest)
        # What works for the first row only, or mixes rows up, gives the last one something else among others.
        began = time.perf_counter()
        alone = await _run_table(host, manifest, table.slice(table.num_rows - 1))
        run.first_s = time.perf_counter() - began
        began = time.perf_counter()
        result = await _run_table(host, manifest, table)
        run.batch_s = time.perf_counter() - began
    except PluginError as failure:
        run.findings.append(_batch_failed(failure, rows))
        return run
    run.batch_bytes = host.memory_bytes()
    run.columns = [name for name in result.column_names if name not in (DATA, *SYSTEM_COLUMNS)]
    run.rows = result.select(run.columns).to_pylist()
    made: dict[Any, list[Row]] = {identifier: [] for identifier in table.column(DOCUMENT_ID).to_pylist()}
    for identifier, row in zip(result.column(DOCUMENT_ID).to_pylist(), run.rows, strict=True):
        made[identifier].append(row)
    run.made = list(made.values()) if manifest.explodes else [[row] for row in run.rows]
    for feature in manifest.features:
        run.findings += _check_feature(feature, run)
    if len(rows) > 1:
        own = [name for name in run.columns if name in alone.column_names]
        run.findings += _check_alone(alone.select(own).to_pylist(), run.made[-1], len(rows), manifest)
    return run


def _check_columns(rows: Sequence[Row], manifest: Manifest) -> list[Finding]:
    """Return a finding per column that the input schema requires and no row has."""
    had = list(dict.fromkeys(name for row in rows for name in row))
    required = manifest.input_schema.get("required")
    mapped = set(manifest.input_mappings)
    findings = []
    for name in required if isinstance(required, list) else []:
        if name in had or name in mapped or name in (DATA, *SYSTEM_COLUMNS) or DATA in had:
            continue
        near = difflib.get_close_matches(str(name), had, n=1)
        findings.append(
            warning(
                "samples.missing_column",
                f"The input schema requires `{name}`, and no sample row has it; the columns there are: "
                + ", ".join(had),
                hint=f"Rename `{near[0]}`" if near else f"Add `{name}` to the rows, or correct the schema",
                path="manifest.py",
            )
        )
    return findings


def _batch_failed(failure: PluginError, rows: Sequence[Row]) -> Finding:
    """Return the finding for a pipeline that failed; of a column that is not there, with those that are."""
    finding = _finding(failure, "samples.batch_failed", "pipeline.py")
    if failure.details.get("exception") != "KeyError":
        return finding
    own = list(dict.fromkeys(name for row in rows for name in row))
    there = ", ".join(dict.fromkeys([DATA, *own, *SYSTEM_COLUMNS]))
    return replace(finding, hint=f"If this is a column: the rows have {there}. The content is in `{DATA}` too")


def _check_alone(alone: list[Row], among: list[Row], count: int, manifest: Manifest) -> list[Finding]:
    """Return a finding where the last row has another vector on its own than among the others."""
    for feature in manifest.embeddings:
        name = feature.feature_name
        for one, other in zip(alone, among, strict=False):
            lonely, joint = one.get(name), other.get(name)
            if lonely is None or fault_of_vector(lonely, feature):
                continue
            likeness = -1.0 if joint is None or fault_of_vector(joint, feature) else cosine(lonely, joint)
            if likeness < _ALONE:
                among_others = "none" if joint is None else f"one with a cosine of {likeness:.2f} to it"
                return [
                    error(
                        "samples.rows_mixed_up",
                        f"Row {count} alone gets a vector `{name}`, but among the others {among_others}",
                        hint="Compute every row of the batch, not `iloc[0]` only, and keep results in the rows' order "
                        "(`batch.reset_index(drop=True)` before joining)",
                        path="pipeline.py",
                    )
                ]
    return []


async def _run_table(host: Host, manifest: Manifest, table: pa.Table) -> pa.Table:
    import pyarrow as pa  # slow to import, and only sample runs need it

    profile = manifest.compute_profile
    timeout_s = profile.timeout_s or CALL_TIMEOUT_S
    # One call for each batch, so that the time limit of a call means here what it means on the server.
    parts = [
        await host.run(table.slice(start, profile.batch_size), explodes=manifest.explodes, timeout_s=timeout_s)
        for start in range(0, table.num_rows, profile.batch_size)
    ]
    return pa.concat_tables(parts, promote_options="permissive") if len(parts) > 1 else parts[0]


def _check_feature(feature: Feature, run: SampleRun) -> list[Finding]:
    name = feature.feature_name
    if name not in run.columns:
        return [
            error(
                "samples.missing_feature",
                f"The pipeline does not write the declared feature `{name}`",
                hint=f"Write a column `{name}`; it wrote {', '.join(run.columns) or 'no new columns'}",
                path="manifest.py",
            )
        ]
    if feature.feature_type != "embedding":
        return []
    faults = [
        (number, fault)
        for number, row in enumerate(run.rows, start=1)
        if row[name] is not None and (fault := fault_of_vector(row[name], feature))
    ]
    if faults:
        number, fault = faults[0]
        more = f" (and {len(faults) - 1} more rows)" if len(faults) > 1 else ""
        return [
            error(
                "samples.wrong_vector",
                f"In row {number}, {fault}{more}",
                hint="Make the processor and `embedding_dim` agree",
                path="manifest.py",
            )
        ]
    missing = sum(row[name] is None for row in run.rows)
    if missing == 0:
        return []
    make = error if missing == len(run.rows) else warning
    return [
        make(
            "samples.no_vector",
            f"{missing} of {len(run.rows)} rows have no `{name}`",
            hint="Rows without a vector cannot be found; check the samples and the processor",
        )
    ]


async def run_realtime(host: Host, manifest: Manifest, rows: Sequence[Row], run: SampleRun) -> None:
    """Ask realtime the first rows, and compare with what batch made of them."""
    serve = manifest.serve_config
    timeout_s = (serve and serve.timeout_s) or CALL_TIMEOUT_S
    for number, (row, made) in enumerate(zip(rows[:_REALTIME_ROWS], run.made, strict=False), start=1):
        if manifest.embeddings and all(part.get(f.feature_name) is None for part in made for f in manifest.embeddings):
            continue  # the batch made nothing of this row, so there is nothing to agree with
        began = time.perf_counter()
        try:
            answer = await host.predict(dict(row), {}, timeout_s=timeout_s)
        except PluginError as failure:
            run.findings.append(_finding(failure, "samples.realtime_failed", "realtime.py"))
            return
        run.realtime_s.append(time.perf_counter() - began)
        run.realtime_bytes = host.memory_bytes()
        for feature in manifest.embeddings:
            # The vector of one of several parts need not be that of the whole.
            expected = made[0].get(feature.feature_name) if len(made) == 1 else None
            run.findings += _compare(feature, manifest, number, answer, expected, run)


def _compare(
    feature: Feature, manifest: Manifest, number: int, answer: Any, expected: Any, run: SampleRun
) -> list[Finding]:
    vector = vector_from_reply(answer, feature, only_feature=len(manifest.embeddings) == 1)
    if vector is None:
        keys = ", ".join(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
        return [
            error(
                "samples.no_realtime_vector",
                f"The realtime answer to row {number} holds no vector for `{feature.feature_name}`",
                hint=f"Return it under `{feature.feature_name}` or `embedding`; the answer has {keys}",
                path="realtime.py",
            )
        ]
    fault = fault_of_vector(vector, feature)
    if fault is not None:
        return [error("samples.wrong_realtime_vector", f"In the realtime answer to row {number}, {fault}",
                      hint="Make realtime.py and `embedding_dim` agree", path="realtime.py")]  # fmt: skip
    if expected is None or fault_of_vector(expected, feature) is not None:
        return []
    likeness = cosine(vector, expected)
    run.likeness = likeness if run.likeness is None else min(run.likeness, likeness)
    if likeness >= PARITY:
        return []
    make = error if manifest.parity == "strict" else warning
    return [
        make(
            "samples.realtime_differs",
            f"Realtime and batch give row {number} different vectors: their cosine is {likeness:.4f}",
            hint="Use one encoder for both, unless queries are meant to be encoded in another way",
            path="realtime.py",
        )
    ]


def _finding(failure: PluginError, rule: str, path: str) -> Finding:
    from mixpeek.examination.failures import finding_from_failure

    return finding_from_failure(failure, rule, path)
