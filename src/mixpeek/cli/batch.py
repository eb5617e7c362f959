"""`mixpeek batch`: objects on their way through the extractors: how far they are, what failed, trying it again."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_facts, show_list
from mixpeek.cli.log_lines import Level, latest, show_line
from mixpeek.cli.session import Session, in_namespace

if TYPE_CHECKING:
    from mixpeek.client import Mixpeek
    from mixpeek.client.records import Batch

app = typer.Typer(help="Follow batches, see what failed, and retry it.", no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Batch, by ID.")]
BucketOption = Annotated[
    str | None,
    typer.Option("--bucket", "-b", help="Bucket of the batch; without it, every bucket is asked.", show_default=False),
]


class RetryMode(StrEnum):
    """What is tried again."""

    ALL = "all"
    TRANSIENT_ONLY = "transient_only"


_COLUMNS = (
    Column("ID", "batch_id"),
    Column("STATUS", "status"),
    Column("COLLECTIONS", lambda row: " ".join(row.get("collection_ids") or ())),
    Column("FAILED", lambda row: sum((row.get("error_summary") or {}).values()) or None),
    Column("CREATED", "created_at"),
)
_FACTS = (
    Column("ID", "batch_id"),
    Column("STATUS", "status"),
    Column("CAUSES", "error_summary"),
    Column("ERROR", "error"),
    Column("PROGRESS", "progress"),
    Column("BUCKET", "bucket_id"),
    Column("COLLECTIONS", "collection_ids"),
    Column("TASK", "task_id"),
    Column("CREATED", "created_at"),
    Column("UPDATED", "updated_at"),
)
_FAILED_COLUMNS = (
    Column("CAUSE", "cause"),
    Column("OBJECT", "object_id"),
    Column("DOCUMENT", "document_id"),
    Column("MESSAGE", lambda row: str(row.get("message") or "").partition("\n")[0]),
)


@app.command("list")
@in_namespace
def list_batches(session: Session, *, bucket: BucketOption = None, limit: Limit = 100, every: All = False) -> None:
    """List the batches of a bucket, or of every bucket of the namespace.

    Example: `mixpeek batch list --bucket notes`
    """
    show_list(
        session.output,
        _batches_of(session.client, bucket),
        _COLUMNS,
        limit=limit,
        every=every,
        empty="No batches yet; `mixpeek collection trigger NAME` makes one",
    )


@app.command("show")
@in_namespace
def show(session: Session, *, batch: BatchId, bucket: BucketOption = None) -> None:
    """Show a batch: where it stands, and what failed by cause.

    Example: `mixpeek batch show btch_0123456789ab`
    """
    _, found = _located(session.client, batch, bucket)
    show_facts(session.output, found, _FACTS)


@app.command("watch")
@in_namespace
def watch(session: Session, *, batch: BatchId, bucket: BucketOption = None) -> None:
    """Follow a batch until it has ended; that ends with 1 unless it is COMPLETED.

    The first line on stdout says how it ended, with the counts by cause. With `--json`, each change is one JSON object
    a line.

    Example: `mixpeek batch watch btch_0123456789ab`
    """
    from mixpeek.cli.following import follow_batch, show_end

    bucket_id, _ = _located(session.client, batch, bucket)
    show_end(session.output, follow_batch(session.client, session.output, bucket_id, batch))


@app.command("failed")
@in_namespace
def failed(
    session: Session, *, batch: BatchId, bucket: BucketOption = None, limit: Limit = 100, every: All = False
) -> None:
    """List the rows of a batch that did not become documents, each with its cause.

    Example: `mixpeek batch failed btch_0123456789ab --all --json > failed.json`
    """
    from mixpeek.cli.following import verdict_of

    bucket_id, found = _located(session.client, batch, bucket)
    session.output.say(verdict_of(found))
    rows = session.client.batches.iterate_failed(bucket_id, batch, page_size=page_size(limit, every))
    show_list(session.output, rows, _FAILED_COLUMNS, limit=limit, every=every, empty="No row failed")


@app.command("retry")
@in_namespace
def retry(
    session: Session,
    *,
    batch: BatchId,
    bucket: BucketOption = None,
    mode: Annotated[RetryMode, typer.Option(help="What failed at all, or only what may pass by itself.")] = (
        RetryMode.ALL
    ),
    max_retries: Annotated[
        int | None, typer.Option("--max", min=1, max=10, help="Tries of a row at most.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until it has ended.")] = False,
) -> None:
    """Run what failed in a batch again, and nothing else.

    Example: `mixpeek batch retry btch_0123456789ab --wait`
    """
    client, output = session.client, session.output
    bucket_id, _ = _located(client, batch, bucket)
    answer = client.batches.retry(bucket_id, batch, retry_mode=mode.value, max_retry_count=max_retries)
    if not wait:
        output.document(answer)
        output.show(answer.get("message") or f"{batch} is tried again")
        return
    from mixpeek.cli.following import show_end
    from mixpeek.cli.progress import status_bar

    with status_bar(output, batch) as report:
        ended = client.batches.wait(bucket_id, batch, report)
    output.document(ended)
    show_end(output, ended)


@app.command("cancel")
@in_namespace
def cancel(session: Session, *, batch: BatchId, bucket: BucketOption = None) -> None:
    """Stop a batch; the documents it has stored stay.

    Example: `mixpeek batch cancel btch_0123456789ab`
    """
    bucket_id, _ = _located(session.client, batch, bucket)
    answer = session.client.batches.cancel(bucket_id, batch)
    session.output.document(answer)
    # One that has ended already is left as it is.
    session.output.show(f"{batch} {answer.get('status') or 'CANCELED'}")


@app.command("logs")
@in_namespace
def logs(
    session: Session,
    *,
    batch: BatchId,
    bucket: BucketOption = None,
    lines: Annotated[int, typer.Option("--lines", min=1, help="Lines to show, the latest.")] = 100,
    level: Annotated[Level | None, typer.Option(help="The least severe lines shown.", show_default=False)] = None,
    tier: Annotated[int | None, typer.Option(min=0, help="Only this tier.", show_default=False)] = None,
) -> None:
    """Show what the plugin's hosts printed and logged while they ran a batch.

    Example: `mixpeek batch logs btch_0123456789ab --level warning`
    """
    client, output = session.client, session.output
    bucket_id, _ = _located(client, batch, bucket)
    found = latest(
        lambda **page: client.batches.logs(bucket_id, batch, tier_num=tier, **page),
        lines,
        least=Level.DEBUG if level is None else level,
    )
    output.document({"success": True, "batch_id": batch, "lines": found})
    for line in found:
        show_line(output, line)
    if not found:
        output.say("No lines")


def _located(client: Mixpeek, batch_id: str, bucket: str | None) -> tuple[str, Batch]:
    """Return the bucket in which a batch is, and the batch."""
    if bucket is not None:
        return bucket, client.batches.get(bucket, batch_id)
    found_in, batch = client.batches.find(batch_id)
    return found_in.bucket_id, batch


def _batches_of(client: Mixpeek, bucket: str | None) -> Iterator[Any]:
    if bucket is not None:
        yield from client.batches.iterate(bucket)
        return
    for each in client.buckets.iterate():
        yield from client.batches.iterate(each.bucket_id)
