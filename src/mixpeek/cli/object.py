"""`mixpeek object`: what a bucket holds."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mixpeek.cli.bucket import BucketName
from mixpeek.cli.listing import All, Column, Limit, page_size, show_list
from mixpeek.cli.session import Session, in_namespace

app = typer.Typer(help="List, show and delete the objects of a bucket.", no_args_is_help=True)

ObjectId = Annotated[str, typer.Argument(metavar="OBJECT", help="Object, by ID.")]

_COLUMNS = (
    Column("ID", "object_id"),
    Column("STATUS", "status"),
    Column("BLOBS", lambda row: " ".join(f"{blob.get('property')}:{blob.get('type')}" for blob in row["blobs"])),
    Column("CREATED", "created_at"),
)


@app.command("list")
@in_namespace
def list_objects(session: Session, *, bucket: BucketName, limit: Limit = 100, every: All = False) -> None:
    """List the objects of a bucket.

    Example: `mixpeek object list notes --limit 10`
    """
    rows = session.client.objects.iterate(bucket, page_size=page_size(limit, every))
    empty = f"No objects yet; add some with `mixpeek bucket upload {bucket} FILES`"
    show_list(session.output, rows, _COLUMNS, limit=limit, every=every, empty=empty)


@app.command("get")
@in_namespace
def get(session: Session, *, bucket: BucketName, object_id: ObjectId) -> None:
    """Print one object as JSON.

    Example: `mixpeek object get notes obj_0123456789abcdef`
    """
    found = session.client.objects.get(bucket, object_id)
    session.output.document(found)
    session.output.show(json.dumps(found, indent=2, ensure_ascii=False))


@app.command("delete")
@in_namespace
def delete(session: Session, *, bucket: BucketName, object_id: ObjectId) -> None:
    """Delete one object.

    Example: `mixpeek object delete notes obj_0123456789abcdef`
    """
    deleted = session.client.objects.delete(bucket, object_id)
    session.output.document({"success": True, "object_id": object_id, **deleted})
    session.output.show(f"{object_id} is deleted")
