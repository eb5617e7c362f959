"""`mixpeek collection`: the recipes that make documents, and running them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_facts, show_list
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import object_from, pairs_from
from mixpeek.errors import InvalidRequest

app = typer.Typer(help="Create collections, and run their extractors.", no_args_is_help=True)

CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="Collection, by ID or name.")]

_COLUMNS = (
    Column("ID", "collection_id"),
    Column("NAME", "collection_name"),
    Column("EXTRACTOR", lambda row: (row.get("feature_extractor") or {}).get("feature_extractor_id")),
    Column("DOCUMENTS", "document_count"),
    Column("CREATED", "created_at"),
)
_FACTS = (
    *_COLUMNS,
    Column("DESCRIPTION", "description"),
    Column("SOURCE", lambda row: _source(row)),  # noqa: PLW0108 - defined below
    Column("MAPPINGS", lambda row: (row.get("feature_extractor") or {}).get("input_mappings")),
    Column("FEATURES", lambda row: [index.get("feature_uri") for index in row.get("vector_indexes") or ()]),
    Column("FIELDS", lambda row: list((row.get("output_schema") or {}).get("properties") or ())),
)


@app.command("create")
@in_namespace
def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="Name of the new collection.")],
    extractor: Annotated[
        str, typer.Option("--extractor", "-e", metavar="NAME[@VERSION]", help="What extracts; default the active one.")
    ],
    bucket: Annotated[
        list[str] | None, typer.Option("--bucket", "-b", help="Bucket it reads; may be repeated.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--collection", help="Collection whose documents it reads; may be repeated.")
    ] = None,
    mappings: Annotated[
        list[str] | None, typer.Option("--map", metavar="INPUT=FIELD", help="What the extractor's input is read from.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="FIELD", help="A field to keep on the documents.")
    ] = None,
    parameters: Annotated[
        str | None, typer.Option(help="Of the extractor: JSON object, `@FILE` or `-`.", show_default=False)
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.", show_default=False)] = None,
) -> None:
    """Create a collection and print its ID; nothing runs before it is triggered.

    Example: `mixpeek collection create by_meaning -b notes -e my_extractor@1.0.0 --keep year`
    """
    client, output = session.client, session.output
    extractor_name, _, version = extractor.partition("@")
    recipe: dict[str, Any] = {"feature_extractor_name": extractor_name}
    if version:
        recipe["version"] = version
    if mappings:
        recipe["input_mappings"] = pairs_from("--map", mappings)
    if keep:
        recipe["field_passthrough"] = [{"source_path": path} for path in keep]
    if parameters is not None:
        recipe["parameters"] = object_from("--parameters", parameters)
    more = {} if description is None else {"description": description}
    made = client.collections.create(name, _source_from(bucket, source), recipe, **more)
    output.document(made)
    output.show(made.collection_id)
    output.say(f"Fill it with `mixpeek collection trigger {name} --wait`")


@app.command("list")
@in_namespace
def list_collections(session: Session, *, limit: Limit = 100, every: All = False) -> None:
    """List the collections of the namespace.

    Example: `mixpeek collection list`
    """
    rows = session.client.collections.iterate(page_size=page_size(limit, every))
    empty = "No collections yet; create one with `mixpeek collection create NAME`"
    show_list(session.output, rows, _COLUMNS, limit=limit, every=every, empty=empty)


@app.command("show")
@in_namespace
def show(session: Session, *, collection: CollectionName) -> None:
    """Show a collection: what it reads, what extracts, what can be searched.

    Example: `mixpeek collection show by_meaning`
    """
    show_facts(session.output, session.client.collections.get(collection), _FACTS)


@app.command("trigger")
@in_namespace
def trigger(
    session: Session,
    *,
    collection: CollectionName,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Stay until the batch has ended.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="With `--wait`, seconds to wait at most.", show_default=False)
    ] = None,
) -> None:
    """Run a collection's extractor over its source, as a batch, and print the batch's ID.

    With `--wait` its progress is shown, its end is the first line, and that ends with 1 unless it is COMPLETED.

    Example: `mixpeek collection trigger by_meaning --wait`
    """
    client, output = session.client, session.output
    started = client.collections.trigger(collection)
    if not wait:
        output.document(started)
        output.show(started.batch_id)
        output.say(f"Follow it with `mixpeek batch watch {started.batch_id}`")
        return
    from mixpeek.cli.following import show_end, wait_for_batch

    batch = wait_for_batch(client, output, started, timeout_s=timeout)
    output.document(batch)
    show_end(output, batch)


@app.command("delete")
@in_namespace
def delete(session: Session, *, collection: CollectionName) -> None:
    """Delete a collection with its documents; the objects it was made from stay.

    Example: `mixpeek collection delete by_meaning`
    """
    deleted = session.client.collections.delete(collection)
    session.output.document({"success": True, **deleted})
    session.output.show(f"{collection} is deleted")


def _source_from(buckets: list[str] | None, collections: list[str] | None) -> dict[str, Any]:
    if bool(buckets) == bool(collections):
        raise InvalidRequest(
            "A collection reads buckets or other collections", hint="Pass either `--bucket` or `--collection`"
        )
    if buckets:
        return {"type": "bucket", "bucket_ids": buckets}
    return {"type": "collection", "collection_ids": collections}


def _source(row: Any) -> str:
    source = row.get("source") or {}
    ids = source.get("bucket_ids") or source.get("collection_ids") or ()
    return f"{source.get('type')} {', '.join(map(str, ids))}"
