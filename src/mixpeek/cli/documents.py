"""`mixpeek documents`: what extractors made of the objects, listed, shown and exported."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mixpeek.cli.collection import CollectionName
from mixpeek.cli.listing import MOST_ON_A_PAGE, All, Column, Limit, Row, page_size, show_list
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import filters_from
from mixpeek.errors import InvalidRequest

app = typer.Typer(help="List, show and export documents.", no_args_is_help=True)

Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", metavar="CONDITION", help="As `year>=2020`; may be repeated, then all must hold."),
]
Sort = Annotated[
    str | None, typer.Option(metavar="FIELD[:desc]", help="Field to sort by, as `year:desc`.", show_default=False)
]
Select = Annotated[
    list[str] | None, typer.Option("--select", metavar="FIELD", help="A field to show; may be repeated.")
]
Vectors = Annotated[bool, typer.Option("--vectors", help="With the vectors too.")]

# Room for a few fields beside the id.
_FIELDS_SHOWN, _CELL_LENGTH = 4, 40
_NOT_SHOWN = frozenset({"document_id", "collection_id", "document_blobs", "_internal"})


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


@app.command("list")
@in_namespace
def list_documents(
    session: Session,
    *,
    collection: CollectionName,
    filters: Filters = None,
    sort: Sort = None,
    select: Select = None,
    limit: Limit = 100,
    every: All = False,
) -> None:
    """List the documents of a collection, a few of their fields each; `--json` prints all fields.

    Conditions are FIELD, one of `=` `!=` `>` `>=` `<` `<=` `~` (contains), and a value.

    Example: `mixpeek documents list by_meaning -f 'year>=2020' --sort year:desc`
    """
    wanted = None if every else limit + 1
    at_once = page_size(limit, every)
    body = _wanted(filters, sort, select)
    found = list(session.client.documents.iterate(collection, limit=wanted, page_size=at_once, **body))
    show_list(
        session.output,
        iter(found),
        [Column("ID", "document_id"), *_columns(found, select or [])],
        limit=limit,
        every=every,
        empty=f"No documents; `mixpeek collection trigger {collection}` makes them",
    )


@app.command("get")
@in_namespace
def get(
    session: Session,
    *,
    collection: CollectionName,
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Document, by ID.")],
    vectors: Vectors = False,
) -> None:
    """Print one document as JSON.

    Example: `mixpeek documents get by_meaning doc_0123456789abcdef`
    """
    found = session.client.documents.get(collection, document, return_vectors=vectors)
    session.output.document(found)
    session.output.show(json.dumps(found, indent=2, ensure_ascii=False))


@app.command("export")
@in_namespace
def export(
    session: Session,
    *,
    collection: CollectionName,
    file: Annotated[str, typer.Argument(help="File to write, `.jsonl` or `.parquet`; `-` is stdout.")] = "-",
    format: Annotated[
        Format | None, typer.Option(help="How to write; default as the file is called.", show_default=False)
    ] = None,
    filters: Filters = None,
    sort: Sort = None,
    select: Select = None,
    vectors: Vectors = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-l", min=1, help="Documents at most.", show_default=False)
    ] = None,
) -> None:
    """Write the documents of a collection into a file, or as JSON lines to stdout.

    A file is there once it is complete. In Parquet a field has one type; one that is not of one type in all documents
    is JSON text.

    Example: `mixpeek documents export by_meaning documents.parquet --vectors`
    """
    client, output = session.client, session.output
    body = {**_wanted(filters, sort, select), **({"return_vectors": True} if vectors else {})}
    if file == "-":
        if output.json_mode or format is Format.PARQUET:
            raise InvalidRequest("To stdout go JSON lines and nothing else", hint="Name a file to write")
        count = 0
        found = client.documents.iterate(collection, limit=limit, page_size=MOST_ON_A_PAGE, **body)
        for count, document in enumerate(found, 1):  # noqa: B007 - it is said below
            output.line(document)
    else:
        chosen = format or Format("parquet" if Path(file).suffix.lower() == ".parquet" else "jsonl")
        if not Path(file).parent.is_dir():
            raise InvalidRequest(f"`{Path(file).parent}` is no folder", hint="Make it first, or name another file")
        count = client.documents.export(collection, file, format=chosen.value, limit=limit, **body)
        output.document({"success": True, "file": file, "format": chosen.value, "documents": count})
    output.say(f"{count:,} documents")


def _wanted(filters: list[str] | None, sort: str | None, select: list[str] | None) -> dict[str, Any]:
    """Return the body of a list request: only what is asked for."""
    body: dict[str, Any] = {}
    conditions = filters_from(filters or [])
    if conditions is not None:
        body["filters"] = conditions
    if sort is not None:
        field, _, direction = sort.partition(":")
        if direction not in {"", "asc", "desc"}:
            raise InvalidRequest(f"`--sort {sort}` has no such direction", hint="Write FIELD, FIELD:asc or FIELD:desc")
        body["sort"] = {"field": field, "direction": direction or "asc"}
    if select:
        body["select"] = select
    return body


def _columns(rows: list[Any], select: list[str]) -> list[Column]:
    """Return columns for the fields asked for, else for the first few there are that are no vectors or objects."""
    names = select or list(
        dict.fromkeys(
            name
            for row in rows
            for name, value in row.items()
            if name not in _NOT_SHOWN and not isinstance(value, list | dict)
        )
    )
    return [_column(name) for name in names[:_FIELDS_SHOWN]]


def _column(name: str) -> Column:
    def cell(row: Row) -> str:
        text = "" if row.get(name) is None else str(row[name])
        return text if len(text) <= _CELL_LENGTH else f"{text[: _CELL_LENGTH - 1]}…"

    return Column(name.upper(), cell)
