"""Printing who shares the requests of a plugin, and how a shadow's answers differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.cli.output import Output


def show_versions(output: Output, versions: Sequence[Mapping[str, Any]]) -> None:
    """Print the versions of a plugin with their parts in its requests."""
    rows = [
        (
            version["plugin_id"],
            version.get("role") or "-",
            f"{version['traffic']} %",
            version["status"],
            str(version.get("since") or "")[:19].replace("T", " "),
        )
        for version in versions
    ]
    output.table(("VERSION", "ROLE", "REQUESTS", "STATUS", "SINCE (UTC)"), rows, empty="No version is deployed")
    for version in versions:
        if version.get("error"):
            output.show(f"{version['plugin_id']} failed in phase {version.get('phase')}:", "bold")
            for line in str(version["error"]).splitlines():
                output.show(f"  {line}")


def show_shadow(output: Output, shadow: Mapping[str, Any]) -> None:
    """Print a shadow's report: counts, then features, keys and times."""
    if shadow["updated_at"] is None:
        output.show(f"\nNo answer of {shadow['plugin_id']} was compared yet")
        return
    output.show(f"\n{shadow['plugin_id']} beside {shadow['compared_with']}", "bold")
    errors = shadow["errors"]
    failed = f"{errors['stable']} stable, {errors['shadow']} shadow, {errors['both']} both"
    for label, value in {
        "mirrored": shadow["mirrored"],
        "compared": shadow["compared"],
        "alike": f"{shadow['alike']} ({_percent(shadow['alike'], shadow['compared'])})",
        "errors": failed,
        "last error": shadow["last_shadow_error"],
        "dropped": shadow["dropped"],
        "too large": shadow["too_large"] or None,
    }.items():
        if value is not None:
            output.show(f"  {label:<11}{value}")
    _show_features(output, shadow["features"])
    _show_keys(output, shadow)
    latency = shadow["latency"]
    rows = [(name, latency["stable"][name], latency["shadow"][name], latency["ratio"][name]) for name in ("p50", "p95")]
    output.show()
    output.table(("MILLISECONDS", "STABLE", "SHADOW", "RATIO"), rows, empty="")


def _show_features(output: Output, features: Sequence[Mapping[str, Any]]) -> None:
    if not features:
        return
    names = ("min", "p1", "p5", "p50", "mean")
    rows = [
        (each["feature"], each["compared"], *(_cosine(each[name]) for name in names), each["unlike"])
        for each in features
    ]
    output.show()
    output.table(("COSINE OF", "PAIRS", "MIN", "P1", "P5", "P50", "MEAN", "UNLIKE"), rows, empty="")


def _show_keys(output: Output, shadow: Mapping[str, Any]) -> None:
    if not shadow["keys"]:
        return
    rows = [(each["key"], each["changed"], each["missing"], each["added"]) for each in shadow["keys"]]
    output.show()
    output.table(("KEY", "CHANGED", "MISSING", "ADDED"), rows, empty="")
    if shadow["further_keys"]:
        output.show(f"… and {shadow['further_keys']} differences in other keys")


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
