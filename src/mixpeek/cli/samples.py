"""Sample data: runs rows through batch and realtime, and checks what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass
class SampleRun:
    """What a run over sample rows found; `made` is what each sample became: its parts, if the plugin explodes."""

    findings: list[Finding] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    made: list[list[Row]] = field(default_factory=list)
    realtime_rows: int = 0


async def run_samples(host: Host, manifest: Manifest, realtime: str | None, rows: Sequence[Row]) -> SampleRun:
    """Run rows through the pipeline built with default parameters, and some of them through realtime."""
    run = SampleRun()
    try:
        await host.build({})
        table = frame_of(rows, manifest)
        result = await _run_batch(host, manifest, table)
    except PluginError as failure:
        run.findings.append(_finding(failure, "samples.batch_failed", "pipeline.py"))
        return run
    run.columns = [name for name in result.column_names if name not in (DATA, *SYSTEM_COLUMNS)]
    run.rows = result.select(run.columns).to_pylist()
    made: dict[Any, list[Row]] = {identifier: [] for identifier in table.column(DOCUMENT_ID).to_pylist()}
    for identifier, row in zip(result.column(DOCUMENT_ID).to_pylist(), run.rows, strict=True):
        made[identifier].append(row)
    run.made = list(made.values()) if manifest.explodes else [[row] for row in run.rows]
    for feature in manifest.features:
        run.findings += _check_feature(feature, run)
    if realtime is not None:
        await _check_realtime(host, manifest, rows, run)
    return run


async def _run_batch(host: Host, manifest: Manifest, table: pa.Table) -> pa.Table:
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


async def _check_realtime(host: Host, manifest: Manifest, rows: Sequence[Row], run: SampleRun) -> None:
    serve = manifest.serve_config
    timeout_s = (serve and serve.timeout_s) or CALL_TIMEOUT_S
    for number, (row, made) in enumerate(zip(rows[:_REALTIME_ROWS], run.made, strict=False), start=1):
        if manifest.embeddings and all(part.get(f.feature_name) is None for part in made for f in manifest.embeddings):
            continue  # the batch made nothing of this row, so there is nothing to agree with
        try:
            answer = await host.predict(dict(row), {}, timeout_s=timeout_s)
        except PluginError as failure:
            run.findings.append(_finding(failure, "samples.realtime_failed", "realtime.py"))
            return
        run.realtime_rows += 1
        for feature in manifest.embeddings:
            # The vector of one of several parts need not be that of the whole.
            expected = made[0].get(feature.feature_name) if len(made) == 1 else None
            run.findings += _compare(feature, manifest, number, answer, expected)


def _compare(feature: Feature, manifest: Manifest, number: int, answer: Any, expected: Any) -> list[Finding]:
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
