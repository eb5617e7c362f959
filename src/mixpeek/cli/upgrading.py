"""How `mixpeek collection upgrade` tells of a plan, of an upgrade under way, and of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixpeek.cli.output import Output

_NEXT = {
    "BUILDING": "`mixpeek task show {task_id}` shows how far it is; `mixpeek collection cancel-upgrade {name}` ends it",
    "READY": "Compare with `mixpeek collection compare {name}`, then `mixpeek collection switch {name}`",
    "LIVE": "Back with `mixpeek collection rollback {name}`; `mixpeek collection drop-generation {name}` ends it",
    "ROLLED_BACK": "Again with `mixpeek collection switch {name}`; `mixpeek collection drop-generation {name}` ends it",
}


def show_plan(output: Output, plan: Mapping[str, Any]) -> None:
    """Print what an upgrade would change, the most important first."""
    output.show(f"{plan['collection_name']}: {plan['from_plugin_id']} → {plan['to_plugin_id']}")
    held = f"{plan['objects']} objects" if plan["objects"] else f"{plan['source_documents']} documents of its sources"
    output.show(f"  {held} to run; {plan['documents']} documents stay searched meanwhile")
    for feature in plan["features"]:
        output.show(f"  {feature['name']}: {_change_of(feature)}")
    for what in ("added", "removed", "changed"):
        if plan["fields"][what]:
            output.show(f"  fields {what}: {', '.join(plan['fields'][what])}")
    counts = [sum(r["effect"] == effect for r in plan["retrievers"]) for effect in ("follows", "vectors", "breaks")]
    if plan["retrievers"]:
        output.show(f"  retrievers: {counts[0]} go on, {counts[1]} take other vectors, {counts[2]} break")
    for warning in plan["warnings"]:
        output.say(f"! {warning}", style="yellow")
    for blocker in plan["blockers"]:
        output.say(f"x {blocker}", style="red")


def show_upgrade(output: Output, name: str, upgrade: Mapping[str, Any]) -> None:
    """Print how an upgrade stands in one line, and what may follow."""
    names = f"{upgrade['from_plugin_id']} → {upgrade['to_plugin_id']}"
    progress = upgrade.get("progress") or {}
    words = f" {progress['percentage']:g} %" if upgrade["state"] == "BUILDING" and progress else ""
    output.show(f"{upgrade['state']}{words}: {names}")
    if upgrade.get("error"):
        output.show(f"  {upgrade['error']}")
    if upgrade.get("incomplete") and upgrade["state"] != "BUILDING":
        output.say(f"! {upgrade['incomplete']}; `--force {name}` goes on all the same", style="yellow")
    following = _NEXT.get(upgrade["state"])
    if following:
        output.say(following.format(name=name, task_id=upgrade.get("task_id")))


def show_comparison(output: Output, report: Mapping[str, Any]) -> None:
    """Print how alike the answers of two generations are, and what only one of them has."""
    counts = report["documents"]
    output.show(f"{report['from_plugin_id']} → {report['to_plugin_id']}, {report['queries']['count']} queries"
                f" from {'those given' if report['queries']['from'] == 'given' else 'stored documents'}")  # fmt: skip
    for feature in report["features"]:
        output.show(f"  {feature['name']}: overlap@10 {_spread(feature['overlap_at_10'])}")
        output.show(f"  {feature['name']}: rank correlation {_spread(feature['rank_correlation'])}")
        for query in feature["worst"][:3]:
            output.show(f"    {query['overlap_at_10']:.2f}  {_short(query['query'])}")
        if feature["unanswered"]:
            output.show(f"  {feature['name']}: {feature['unanswered']} queries could not be embedded")
    output.show(
        f"  documents: {counts['before']} before, {counts['after']} after;"
        f" {counts['only_before']} only before, {counts['only_after']} only after"
    )
    for what in ("added", "removed"):
        if report["fields"][what]:
            output.show(f"  fields {what}: {', '.join(report['fields'][what])}")
    causes = _causes(report["causes"])
    output.show(f"  failed rows: {report['failed_rows']}{f' ({causes})' if causes else ''}")


def _change_of(feature: Mapping[str, Any]) -> str:
    if feature["change"] in ("added", "removed", "same"):
        return str(feature["change"])
    pairs = ((name, feature[name]) for name in ("dimensions", "distance"))
    return ", ".join(f"{name} {p['before']} → {p['after']}" for name, p in pairs if p["before"] != p["after"])


def _spread(figures: Mapping[str, float] | None) -> str:
    if not figures:
        return "unknown"
    return f"{figures['mean']:.2f} on average, {figures['p10']:.2f} for the worst tenth"


def _causes(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in causes.items())


def _short(text: str, most: int = 70) -> str:
    words: Sequence[str] = text.split()
    line = " ".join(words)
    return line if len(line) <= most else f"{line[: most - 1]}…"
