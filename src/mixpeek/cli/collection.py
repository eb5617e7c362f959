"""`mixpeek collection`: the recipes that make documents, and running them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_facts, show_list
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.upgrading import show_comparison, show_plan, show_upgrade
from mixpeek.cli.values import object_from, pairs_from
from mixpeek.errors import InvalidRequest

app = typer.Typer(help="Create collections, and run their extractors.", no_args_is_help=True)

CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="Collection, by ID or name.")]
Force = Annotated[
    str | None, typer.Option("--force", metavar="COLLECTION", help="Its name: go on although something is missing.")
]

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


@app.command("upgrade")
@in_namespace
def upgrade(
    session: Session,
    *,
    collection: CollectionName,
    version: Annotated[
        str | None, typer.Argument(help="Version of its extractor; without one, how its upgrade stands.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Begin; without it, only the plan is shown.")] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="With `--start`, stay until it is built.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="With `--wait`, seconds to wait at most.", show_default=False)
    ] = None,
) -> None:
    """Show what another version of its extractor would change, or begin to build its documents beside the live ones.

    Example: `mixpeek collection upgrade by_meaning 2.0.0 --start --wait`
    """
    client, output = session.client, session.output
    if version is None:
        found = client.collections.get_upgrade(collection)
        output.document(found)
        show_upgrade(output, collection, found)
        return
    plan = client.collections.upgrade(collection, version, start=start)
    if not start:
        output.document(plan)
        show_plan(output, plan)
        if plan.blockers:
            raise typer.Exit(1)
        output.say(f"Begin with `mixpeek collection upgrade {collection} {version} --start`")
        return
    begun: Any = plan.upgrade
    if wait:
        client.tasks.wait(begun["task_id"], timeout_s=timeout)
        begun = client.collections.get_upgrade(collection)
    output.document(begun)
    show_upgrade(output, collection, begun)
    if begun["state"] == "FAILED":
        raise typer.Exit(1)


@app.command("compare")
@in_namespace
def compare(
    session: Session,
    *,
    collection: CollectionName,
    queries: Annotated[
        list[str] | None, typer.Option("--query", "-q", help="Text to ask both; may be repeated.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, max=500, help="Without `--query`, so many stored documents.")] = 50,
) -> None:
    """Ask both generations of an upgrade the same queries, and show how their answers differ.

    Example: `mixpeek collection compare by_meaning -q "late invoices"`
    """
    report = session.client.collections.compare(collection, queries=queries or None, sample=sample)
    session.output.document(report)
    show_comparison(session.output, report)


@app.command("switch")
@in_namespace
def switch(session: Session, *, collection: CollectionName, force: Force = None) -> None:
    """Have the new generation of an upgrade searched, from the next query on.

    Example: `mixpeek collection switch by_meaning`
    """
    _show_turn(session, collection, session.client.collections.switch(collection, force=force))


@app.command("rollback")
@in_namespace
def rollback(session: Session, *, collection: CollectionName, force: Force = None) -> None:
    """Have the former generation searched again, with all that was written since the switch.

    Example: `mixpeek collection rollback by_meaning`
    """
    _show_turn(session, collection, session.client.collections.rollback(collection, force=force))


@app.command("cancel-upgrade")
@in_namespace
def cancel_upgrade(session: Session, *, collection: CollectionName) -> None:
    """End an upgrade that was not switched; its generation is dropped.

    Example: `mixpeek collection cancel-upgrade by_meaning`
    """
    _show_turn(session, collection, session.client.collections.cancel_upgrade(collection))


@app.command("drop-generation")
@in_namespace
def drop_generation(session: Session, *, collection: CollectionName) -> None:
    """Delete the generation that is not searched, which ends the upgrade; there is no way back.

    Example: `mixpeek collection drop-generation by_meaning`
    """
    _show_turn(session, collection, session.client.collections.drop_generation(collection))


@app.command("delete")
@in_namespace
def delete(session: Session, *, collection: CollectionName) -> None:
    """Delete a collection with its documents; the objects it was made from stay.

    Example: `mixpeek collection delete by_meaning`
    """
    deleted = session.client.collections.delete(collection)
    session.output.document({"success": True, **deleted})
    session.output.show(f"{collection} is deleted")


def _show_turn(session: Session, collection: str, upgrade: Any) -> None:
    session.output.document(upgrade)
    show_upgrade(session.output, collection, upgrade)


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
