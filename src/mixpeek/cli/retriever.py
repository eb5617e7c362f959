"""`mixpeek retriever`: named queries, made from a file and run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mixpeek.cli.listing import All, Column, Limit, page_size, show_facts, show_list
from mixpeek.cli.search import Explain, show_execution
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import object_from
from mixpeek.errors import InvalidRequest

app = typer.Typer(help="Create retrievers, and run them.", no_args_is_help=True)

RetrieverName = Annotated[str, typer.Argument(metavar="RETRIEVER", help="Retriever, by ID or name.")]

_COLUMNS = (
    Column("ID", "retriever_id"),
    Column("NAME", "retriever_name"),
    Column("STAGES", lambda row: [stage["config"]["stage_id"] for stage in row.get("stages") or ()]),
    Column("INPUTS", lambda row: list(row.get("input_schema") or ())),
    Column("CREATED", "created_at"),
)
_FACTS = (
    *_COLUMNS,
    Column("DESCRIPTION", "description"),
    Column("VERSION", "version"),
    Column("COLLECTIONS", "collection_ids"),
    Column("FEATURES", lambda row: [each["feature_uri"] for each in row.get("feature_dependencies") or ()]),
    Column("TAGS", "tags"),
)


@app.command("create")
@in_namespace
def create(
    session: Session,
    *,
    file: Annotated[str, typer.Option("--file", "-f", help="JSON file with the retriever; `-` is stdin.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the retriever; default the file's.", show_default=False)
    ] = None,
) -> None:
    """Create a retriever from a file, as the API takes it, and print its ID.

    Example: `mixpeek retriever create -f by_meaning.json`
    """
    body = object_from("--file", file if file == "-" else f"@{file}")
    if name is not None:
        body.pop("name", None)
        body["retriever_name"] = name
    made = session.client.retrievers.create(**_named(body))
    session.output.document(made)
    session.output.show(made.retriever_id)
    session.output.say(f"Run it with `mixpeek retriever run {made['retriever']['retriever_name']} INPUT=VALUE`")


@app.command("list")
@in_namespace
def list_retrievers(session: Session, *, limit: Limit = 100, every: All = False) -> None:
    """List the retrievers of the namespace.

    Example: `mixpeek retriever list`
    """
    rows = session.client.retrievers.iterate(page_size=page_size(limit, every))
    empty = "No retrievers yet; create one with `mixpeek retriever create -f FILE`"
    show_list(session.output, rows, _COLUMNS, limit=limit, every=every, empty=empty)


@app.command("show")
@in_namespace
def show(session: Session, *, retriever: RetrieverName) -> None:
    """Show a retriever: what it searches, its inputs and its stages.

    Example: `mixpeek retriever show by_meaning`
    """
    found = session.client.retrievers.get(retriever)
    # The JSON of the answer is that of the API; in words it is what it carries.
    if session.output.json_mode:
        session.output.document(found)
        return
    show_facts(session.output, found["retriever"], _FACTS)
    session.output.show(json.dumps(found["retriever"]["stages"], indent=2, ensure_ascii=False))


@app.command("run")
@in_namespace
def run(
    session: Session,
    *,
    retriever: RetrieverName,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT=VALUE]...", help="Inputs; JSON is taken as such, unless the input is a text."),
    ] = None,
    explain: Explain = False,
) -> None:
    """Run a retriever and print what it finds.

    Example: `mixpeek retriever run by_meaning query='a lazy dog'`
    """
    declared = session.client.retrievers.get(retriever)["retriever"]["input_schema"] if inputs else {}
    given = dict(_input_from(text, declared) for text in inputs or ())
    found = session.client.retrievers.execute(retriever, given)
    words = " ".join(value for value in given.values() if isinstance(value, str))
    show_execution(session.output, found, query=words, explain=explain)


@app.command("delete")
@in_namespace
def delete(session: Session, *, retriever: RetrieverName) -> None:
    """Delete a retriever; what it searches stays.

    Example: `mixpeek retriever delete by_meaning`
    """
    gone = session.client.retrievers.delete(retriever)
    session.output.document(gone)
    session.output.show(f"{gone['retriever_id']} is deleted")


def _named(body: dict[str, Any]) -> dict[str, Any]:
    name = body.pop("retriever_name", None) or body.pop("name", None)
    if not isinstance(name, str) or not isinstance(body.get("stages"), list):
        raise InvalidRequest(
            "The file has no `retriever_name` or no `stages`", hint="docs/howto/search.md shows such a file"
        )
    return {"retriever_name": name, **body}


def _input_from(text: str, declared: Mapping[str, Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidRequest(f"`{text}` is no input", hint="Write INPUT=VALUE, as in `query='a lazy dog'`")
    if declared.get(name, {}).get("type") in ("text", "string"):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
