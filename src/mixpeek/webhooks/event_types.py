"""Which events there are, and what a subscription to them may say. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

PING = "webhook.ping"

# What happens here.
TOLD = (
    "plugin.published",
    "plugin.rejected",
    "plugin.deleted",
    "deployment.started",
    "deployment.deployed",
    "deployment.failed",
    "deployment.promoted",
    "deployment.undeployed",
    "batch.submitted",
    "batch.completed",
    "batch.completed_with_errors",
    "batch.failed",
    "batch.canceled",
    "task.created",
    "task.started",
    "task.completed",
    "task.completed_with_errors",
    "task.failed",
    "task.canceled",
    "object.created",
    "objects.created.batch",
    "object.updated",
    "object.deleted",
    "collection.created",
    "collection.updated",
    "collection.deleted",
    "collection.documents.written",
    "collection.upgrade.building",
    "collection.upgrade.ready",
    "collection.upgrade.live",
    "collection.upgrade.rolled_back",
    "collection.upgrade.done",
    "collection.upgrade.failed",
    "collection.upgrade.canceled",
)
# Documented, about what this server does not have: a subscription is taken, and said to stay silent.
SILENT = (
    "cluster.created",
    "cluster.updated",
    "cluster.deleted",
    "cluster.execution.started",
    "cluster.execution.completed",
    "cluster.execution.failed",
    "trigger.created",
    "trigger.updated",
    "trigger.deleted",
    "trigger.paused",
    "trigger.resumed",
    "trigger.fired",
    "trigger.execution.completed",
    "trigger.execution.failed",
    "taxonomy.created",
    "taxonomy.updated",
    "taxonomy.deleted",
    "alert.created",
    "alert.updated",
    "alert.deleted",
    "alert.triggered",
    "alert.execution.completed",
    "alert.execution.failed",
)
KNOWN = (*TOLD, *SILENT)


def fault_of_pattern(pattern: str) -> str | None:
    """Return what is wrong with what a webhook subscribes to, with the repair; None if nothing is."""
    if pattern in KNOWN or pattern == "*":
        return None
    if pattern.endswith(".*") and any(kind.startswith(pattern[:-1]) for kind in KNOWN):
        return None
    groups = sorted({f"{kind.split('.')[0]}.*" for kind in KNOWN})
    near = difflib.get_close_matches(pattern, [*KNOWN, *groups], n=1, cutoff=0.5)
    advice = f"did you mean `{near[0]}`?" if near else f"known are `*`, {', '.join(groups)} and the types in them"
    return f"There is no event type {pattern!r}; {advice}"


def warnings_of(patterns: Iterable[str]) -> list[str]:
    """Return a line for each of these subscriptions that nothing on this server will ever match."""
    return [
        f"{pattern}: this server has no {'taxonomie' if kind == 'taxonomy' else kind}s, so it never happens"
        for pattern in patterns
        if (kind := pattern.split(".")[0]) and pattern != "*" and not any(_matches(pattern, told) for told in TOLD)
    ]


def _matches(pattern: str, kind: str) -> bool:
    return pattern == kind or (pattern.endswith("*") and kind.startswith(pattern[:-1]))
