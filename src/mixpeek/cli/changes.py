"""What changed between two versions, in words: the answer of a diff as lines to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SHOWN = 60


def file_summary(answer: Mapping[str, Any]) -> Iterator[str]:
    """Give one line that counts, then one for each file that differs."""
    summary = answer["summary"]
    counts = [f"{summary[status]} {status}" for status in ("added", "removed", "modified") if summary[status]]
    if not counts:
        yield "no file differs"
        return
    yield f"{', '.join(counts)}, {summary['unchanged']} unchanged; {_lines(summary)} lines"
    for file in answer["files"]:
        yield f"  {file['status']:<8}  {file['path']}  {'binary' if file['binary'] else _lines(file)}"


def manifest_summary(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Give a line for each thing that two manifests declare differently."""
    for change in manifest["changed"]:
        yield f"{change['field']}: {_short(change['before'])} -> {_short(change['after'])}"
    features = manifest["features"]
    for status in ("added", "removed"):
        for feature in features[status]:
            size = f", {feature['embedding_dim']}" if feature.get("embedding_dim") else ""
            yield f"feature {status}: {feature.get('feature_name')} ({feature.get('feature_type')}{size})"
    for change in features["changed"]:
        before, after = _short(change["before"]), _short(change["after"])
        yield f"feature {change['feature_name']}: {change['field']} {before} -> {after}"
    for status in ("added", "removed"):
        for dependency in manifest["dependencies"][status]:
            yield f"dependency {status}: {dependency}"
    for name, is_changed in manifest["schemas"].items():
        if is_changed:
            yield f"schema changed: {name}"


def _lines(counts: Mapping[str, Any]) -> str:
    return f"+{counts['added_lines']} -{counts['removed_lines']}"


def _short(value: Any) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
