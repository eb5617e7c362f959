"""`mixpeek bucket`: containers of objects, and putting files and rows into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_facts, show_list
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import object_from, pairs_from
from mixpeek.errors import InvalidRequest

app = typer.Typer(help="Create buckets and fill them with files and rows.", no_args_is_help=True)

BucketName = Annotated[str, typer.Argument(metavar="BUCKET", help="Bucket, by ID or name.")]

_COLUMNS = (
    Column("ID", "bucket_id"),
    Column("NAME", "bucket_name"),
    Column("OBJECTS", "object_count"),
    Column("BYTES", "total_size_bytes"),
    Column("CREATED", "created_at"),
)
_FACTS = (
    *_COLUMNS,
    Column("DESCRIPTION", "description"),
    Column("PROPERTIES", lambda row: _properties(row)),  # noqa: PLW0108 - defined below
    Column("UNIQUE KEY", lambda bucket: (bucket.get("unique_key") or {}).get("fields")),
    Column("LAST UPLOAD", "last_upload_at"),
)


@app.command("create")
@in_namespace
def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new bucket.")],
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", "-p", metavar="NAME=TYPE", help="A property of its objects; may be repeated."),
    ] = None,
    required: Annotated[
        list[str] | None, typer.Option("--required", metavar="NAME", help="A property no object may lack.")
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(help="The whole schema instead: JSON object, `@FILE` or `-` for stdin.", show_default=False),
    ] = None,
    unique_key: Annotated[
        list[str] | None,
        typer.Option("--unique-key", metavar="NAME", help="A property by which objects are told apart."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.", show_default=False)] = None,
) -> None:
    """Create a bucket and print its ID.

    Types: string, number, integer, float, boolean, object, array, date, datetime, text, image, audio, video, pdf and
    excel.

    Example: `mixpeek bucket create notes -p text=text -p year=integer --required text`
    """
    client, output = session.client, session.output
    bucket_schema = _schema_from(properties or [], required or [], schema)
    key = {"fields": unique_key} if unique_key else None
    made = client.buckets.create(name, bucket_schema, description=description, unique_key=key)
    output.document(made)
    output.show(made.bucket_id)
    output.say(f"Fill it with `mixpeek bucket upload {name} FILES`")


@app.command("list")
@in_namespace
def list_buckets(session: Session, *, limit: Limit = 100, every: All = False) -> None:
    """List the buckets of the namespace.

    Example: `mixpeek bucket list --json | jq -r '.results[].bucket_name'`
    """
    rows = session.client.buckets.iterate(page_size=page_size(limit, every))
    empty = "No buckets yet; create one with `mixpeek bucket create NAME`"
    show_list(session.output, rows, _COLUMNS, limit=limit, every=every, empty=empty)


@app.command("show")
@in_namespace
def show(session: Session, *, bucket: BucketName) -> None:
    """Show a bucket: its properties, and how much it holds.

    Example: `mixpeek bucket show notes`
    """
    show_facts(session.output, session.client.buckets.get(bucket), _FACTS)


@app.command("delete")
@in_namespace
def delete(
    session: Session,
    *,
    bucket: BucketName,
    force: Annotated[bool, typer.Option("--force", help="Also while collections read it.")] = False,
) -> None:
    """Delete a bucket with everything in it.

    Example: `mixpeek bucket delete notes`
    """
    deleted = session.client.buckets.delete(bucket, force=force)
    session.output.document({"success": True, **deleted})
    session.output.show(f"{bucket} is deleted")


@app.command("upload")
@in_namespace
def upload(
    session: Session,
    *,
    bucket: BucketName,
    paths: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files, and folders with all below them.")],
    blob_property: Annotated[
        str | None,
        typer.Option(
            "--property", "-p", help="Property a file is put under; default the one for files, else for text."
        ),
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(help="Fields of each file's object: JSON object, `@FILE` or `-`.", show_default=False)
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="Of rows, in a bucket with a unique key: insert, update or upsert.", show_default=False),
    ] = None,
    as_files: Annotated[
        bool, typer.Option("--as-files", help="Put `.jsonl` and `.csv` in as files, not row by row.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what the bucket has, a second time.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Requests side by side.")] = 4,
) -> None:
    """Put files into a bucket, one object each, and the rows of `.jsonl` and `.csv` files, one object each.

    The server compares contents, so a second run sends only the files that are missing, and no row becomes a second
    object: an upload that was interrupted is gone on with by the same command. What starts with a dot is left out of
    folders. Ends with 1 if anything was refused; the rest is in the bucket.

    Example: `mixpeek bucket upload papers ./pdfs notes.jsonl`
    """
    from mixpeek.cli.uploading import Uploader

    fields = None if metadata is None else object_from("--metadata", metadata)
    target = session.client.buckets.get(bucket)
    uploader = Uploader(session.client, session.output, target, at_once=parallel, skip_duplicates=not again)
    files, rows = uploader.plan(paths, as_files=as_files)
    uploader.send_files(files, blob_property, fields)
    uploader.send_rows(rows, policy)
    uploader.show()
    if uploader.failures:
        raise typer.Exit(1)


def _schema_from(properties: list[str], required: list[str], schema: str | None) -> dict[str, Any]:
    if schema is not None:
        if properties or required:
            raise InvalidRequest("`--schema` is the whole schema", hint="Leave out `--property` and `--required`")
        given = object_from("--schema", schema)
        return given if "properties" in given else {"properties": given}
    declared: dict[str, Any] = {name: {"type": kind} for name, kind in pairs_from("--property", properties).items()}
    if not declared:
        raise InvalidRequest("No property is given", hint="A bucket has one at least, as in `--property text=text`")
    for name in required:
        if name not in declared:
            raise InvalidRequest(f"`--required {name}` is no property", hint=f"Add `--property {name}=TYPE`")
        declared[name]["required"] = True
    return {"properties": declared}


def _properties(bucket: Any) -> dict[str, str]:
    properties = (bucket.get("bucket_schema") or {}).get("properties") or {}
    return {
        name: f"({declared.get('type')}{', required' if declared.get('required') else ''})"
        for name, declared in properties.items()
    }
