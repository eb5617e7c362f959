"""Following a batch from the command line, and saying how it ended: the counts by cause come first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from mixpeek.cli.output import Output
from mixpeek.cli.progress import status_bar

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek
    from mixpeek.client.records import Batch, Triggered

INTERRUPTED = 130
_COUNTED = ("written", "skipped", "failed")


def follow_batch(client: Mixpeek, output: Output, bucket_id: str, batch_id: str) -> Batch:
    """Return a batch once it has ended, showing on the way how far it is; in JSON mode one object a line."""
    last: Batch | None = None
    try:
        with status_bar(output, batch_id) as report:
            for batch in client.batches.watch(bucket_id, batch_id):
                if batch.status == "DRAFT" and last is None:
                    output.say("  It was not submitted yet; nothing happens before that")
                report(batch)
                output.record(batch)
                last = batch
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    assert last is not None, "a batch that is watched is seen once at least"
    return last


def wait_for_batch(client: Mixpeek, output: Output, started: Triggered, *, timeout_s: float | None) -> Batch:
    """Return the batch that a trigger started once it has ended; raise WaitTimedOut."""
    with status_bar(output, started.batch_id) as report:
        client.tasks.wait(started.task_id, report, timeout_s=timeout_s)
    buckets = started.get("source_bucket_ids") or ()
    if buckets:
        return client.batches.get(buckets[0], started.batch_id)
    return client.batches.find(started.batch_id)[1]


def verdict_of(batch: Mapping[str, Any]) -> str:
    """Return how a batch stands in one line, as `COMPLETED_WITH_ERRORS: 3 failed (2 PluginRaised, 1 …), 7 written`."""
    causes = ", ".join(f"{count} {cause}" for cause, count in _by_count(batch.get("error_summary")))
    progress = batch.get("progress") or {}
    counts = {name: progress[name] for name in _COUNTED if isinstance(progress.get(name), int)}
    failed = counts.pop("failed", 0)
    words = [f"{count} {name}" for name, count in counts.items() if count or name == "written"]
    if failed:
        words.insert(0, f"{failed} failed ({causes})" if causes else f"{failed} failed")
    elif causes:
        words.insert(0, causes)
    status = str(batch.get("status"))
    return f"{status}: {', '.join(words)}" if words else status


def show_end(output: Output, batch: Mapping[str, Any]) -> None:
    """Print how a batch ended; raise typer.Exit with 1 unless it is COMPLETED."""
    completed = batch.get("status") == "COMPLETED"
    output.show(verdict_of(batch), "green" if completed else "bold red")
    if completed:
        return
    if batch.get("error"):
        output.say(f"  {batch['error']}", "red")
    output.say(f"  `mixpeek batch failed {batch.get('batch_id')}` lists the rows, each with its cause", "cyan")
    raise typer.Exit(1)


def _by_count(causes: Any) -> list[tuple[str, int]]:
    counted = causes.items() if isinstance(causes, Mapping) else ()
    return sorted(counted, key=lambda each: (-int(each[1]), each[0]))
