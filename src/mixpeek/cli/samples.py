"""Sample data: reads JSON or CSV rows, runs them through batch and realtime, and checks what comes back."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixpeek.contract.columns import DATA, DOCUMENT_ID, MIME_TYPE, SYSTEM_COLUMNS
from mixpeek.contract.manifest import Feature, Manifest
from mixpeek.errors import InvalidRequest, PluginError
from mixpeek.execution.port import CALL_TIMEOUT_S
from mixpeek.inspection.findings import Finding, error, warning

if TYPE_CHECKING:
    import pyarrow as pa

    from mixpeek.execution.port import Host

Row = dict[str, Any]

# Enough to see whether realtime agrees with the batch, without doubling the time of a test.
_REALTIME_ROWS = 3
# Below this cosine, realtime and batch do not mean the same vector.
_PARITY = 0.999


@dataclass
class SampleRun:
    """What a run over sample rows found."""

    findings: list[Finding] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    realtime_rows: int = 0


def read_samples(path: Path) -> list[Row]:
    """Return the rows of a JSON file (a list of objects, or one) or of a CSV file with a header.

    Raises: InvalidRequest: the file is missing, of another kind, or holds no rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidRequest(f"`{path}` cannot be read: {cause}", hint="Pass a JSON or CSV file in UTF-8") from cause
    if path.suffix.lower() == ".csv":
        rows: Any = list(csv.DictReader(text.splitlines(keepends=True)))
    elif path.suffix.lower() == ".json":
        try:
            rows = json.loads(text)
        except ValueError as cause:
            raise InvalidRequest(f"`{path}` is not JSON: {cause}", hint="Correct the file") from cause
        rows = [rows] if isinstance(rows, dict) else rows
    else:
        raise InvalidRequest(f"`{path}` is neither .json nor .csv", hint="Rename or convert the file")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and row for row in rows):
        raise InvalidRequest(
            f"`{path}` holds no rows",
            hint='Write a list of objects, as in [{"text": "Hello"}], or a CSV file with a header line',
        )
    return rows


async def run_samples(host: Host, manifest: Manifest, realtime: str | None, rows: Sequence[Row]) -> SampleRun:
    """Run rows through the pipeline built with default parameters, and some of them through realtime."""
    run = SampleRun()
    try:
        await host.build({})
        result = await _run_batch(host, manifest, rows)
    except PluginError as failure:
        run.findings.append(_finding(failure, "samples.batch_failed", "pipeline.py"))
        return run
    run.columns = [name for name in result.column_names if name not in (DATA, *SYSTEM_COLUMNS)]
    run.rows = result.select(run.columns).to_pylist()
    for feature in manifest.features:
        run.findings += _check_feature(feature, run)
    if realtime is not None:
        await _check_realtime(host, manifest, rows, run)
    return run


async def _run_batch(host: Host, manifest: Manifest, rows: Sequence[Row]) -> pa.Table:
    import pyarrow as pa  # slow to import, and only sample runs need it

    profile = manifest.compute_profile
    timeout_s = profile.timeout_s or CALL_TIMEOUT_S
    table = frame_of(rows, manifest)
    # One call for each batch, so that the time limit of a call means here what it means on the server.
    parts = [
        await host.run(table.slice(start, profile.batch_size), timeout_s=timeout_s)
        for start in range(0, table.num_rows, profile.batch_size)
    ]
    return pa.concat_tables(parts, promote_options="permissive") if len(parts) > 1 else parts[0]


def frame_of(rows: Sequence[Row], manifest: Manifest) -> pa.Table:
    """Return sample rows as the table a processor gets: `data`, the system columns, mappings, and their own fields."""
    import pyarrow as pa

    extractor = f"{manifest.feature_extractor_name}_{manifest.version}"
    full = []
    for number, row in enumerate(rows, start=1):
        content = row[DATA] if DATA in row else row.get("text", next(iter(row.values())))
        mapped = {key: row[source] for key, source in manifest.input_mappings.items() if source in row}
        full.append(
            {
                DATA: content,
                DOCUMENT_ID: f"doc_sample_{number}",
                "object_id": f"obj_sample_{number}",
                "blob_id": f"blob_sample_{number}",
                "blob_property": "text" if "text" in row else DATA,
                "blob_type": "text",
                "collection_id": "col_sample",
                "feature_extractor_id": extractor,
                MIME_TYPE: None,
                "size_bytes": 0,
                **mapped,
                **row,
            }
        )
    names = list(dict.fromkeys(name for row in full for name in row))
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in full])
        except pa.ArrowException as cause:
            raise InvalidRequest(
                f"The sample rows hold values of different kinds under {name!r}: {cause}",
                hint=f"Give {name!r} one kind of value in all rows",
            ) from cause
    # A column of nulls only has no type; a processor expects text there.
    columns[MIME_TYPE] = columns[MIME_TYPE].cast(pa.string())
    return pa.table(columns)


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
        if row[name] is not None and (fault := _vector_fault(row[name], feature))
    ]
    if faults:
        number, fault = faults[0]
        more = f" (and {len(faults) - 1} more rows)" if len(faults) > 1 else ""
        return [
            error(
                "samples.wrong_vector",
                f"`{name}` in row {number} {fault}{more}",
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


def _vector_fault(vector: Any, feature: Feature) -> str | None:
    if not isinstance(vector, list) or not all(isinstance(value, (int, float)) for value in vector):
        return "is not a list of numbers"
    if len(vector) != feature.embedding_dim:
        return f"has {len(vector)} numbers, and the manifest declares {feature.embedding_dim}"
    return None if all(map(math.isfinite, vector)) else "holds numbers that are not finite"


async def _check_realtime(host: Host, manifest: Manifest, rows: Sequence[Row], run: SampleRun) -> None:
    serve = manifest.serve_config
    timeout_s = (serve and serve.timeout_s) or CALL_TIMEOUT_S
    for number, row in enumerate(rows[:_REALTIME_ROWS], start=1):
        if manifest.embeddings and all(run.rows[number - 1].get(f.feature_name) is None for f in manifest.embeddings):
            continue  # the batch made nothing of this row, so there is nothing to agree with
        try:
            answer = await host.predict(dict(row), {}, timeout_s=timeout_s)
        except PluginError as failure:
            run.findings.append(_finding(failure, "samples.realtime_failed", "realtime.py"))
            return
        run.realtime_rows += 1
        for feature in manifest.embeddings:
            run.findings += _compare(feature, manifest, number, answer, run.rows[number - 1].get(feature.feature_name))


def _compare(feature: Feature, manifest: Manifest, number: int, answer: Any, expected: Any) -> list[Finding]:
    vector = vector_from(answer, feature.feature_name, is_only=len(manifest.embeddings) == 1)
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
    fault = _vector_fault(vector, feature)
    if fault is not None:
        return [error("samples.wrong_realtime_vector", f"The realtime vector of row {number} {fault}",
                      hint="Make realtime.py and `embedding_dim` agree", path="realtime.py")]  # fmt: skip
    if expected is None or _vector_fault(expected, feature) is not None:
        return []
    likeness = _cosine(vector, expected)
    if likeness >= _PARITY:
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


def vector_from(answer: Any, feature_name: str, *, is_only: bool) -> Any | None:
    """Return the vector of a feature in a realtime answer: under its name, else `embedding`, else `embeddings`."""
    if not isinstance(answer, Mapping):
        return answer if is_only and isinstance(answer, list) else None
    if feature_name in answer:
        return answer[feature_name]
    if is_only and answer.get("embedding") is not None:
        return answer["embedding"]
    several = answer.get("embeddings")
    return several[0] if is_only and isinstance(several, list) and several else None


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _finding(failure: PluginError, rule: str, path: str) -> Finding:
    from mixpeek.examination.failures import finding_from_failure

    return finding_from_failure(failure, rule, path)
