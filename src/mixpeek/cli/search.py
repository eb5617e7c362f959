"""`mixpeek search`: look for words in collections, and see what is found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mixpeek.cli.documents import Filters
from mixpeek.cli.output import Output
from mixpeek.cli.session import Session, in_namespace
from mixpeek.cli.values import filters_from
from mixpeek.errors import InvalidRequest

Explain = Annotated[
    bool, typer.Option("--explain", help="Also show the score in each search, and what each stage did.")
]
_SNIPPET_LENGTH = 72
_NOT_SHOWN = frozenset(
    ("document_id", "collection_id", "document_blobs", "_internal", "score", "scores", "features", "group_key")
)


class Mode(StrEnum):
    """What is compared."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


@in_namespace
def search(
    session: Session,
    *,
    query: Annotated[
        str, typer.Argument(metavar="[WORDS]", help="What to look for; or `--like` a file.", show_default=False)
    ] = "",
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="FILE",
            help="Look for what is like a picture, a sound, a clip or a document.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    collection: Annotated[
        list[str], typer.Option("--collection", "-c", help="Collection, by ID or name; may be repeated.")
    ],
    mode: Annotated[Mode, typer.Option(help="`vector` is meaning, `text` the words themselves, `hybrid` both.")] = (
        Mode.HYBRID
    ),
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=500, help="Documents at most.")] = 10,
    filters: Filters = None,
    explain: Explain = False,
) -> None:
    """Search collections and print what fits best.

    Example: `mixpeek search "a lazy dog" --collection notes -f 'year>=2020'`
    """
    if (like is None) == (not query.strip()):
        raise InvalidRequest("Say what to look for: words, or `--like FILE`, and not both")
    conditions = filters_from(filters or [])
    wanted = None if conditions is None else {**conditions, "case_sensitive": False}
    found = session.client.retrievers.search(like or query, collection, limit=limit, mode=mode.value, filters=wanted)
    show_execution(session.output, found, query=query, explain=explain)


def show_execution(output: Output, found: Mapping[str, Any], *, query: str = "", explain: bool = False) -> None:
    """Print what an execution found: a row for each document, then figures; warnings as talk."""
    output.document(found)
    documents = found["documents"]
    searched = list(dict.fromkeys(uri for document in documents for uri in document["features"])) if explain else []
    titles = [f"[{number}]" for number in range(1, len(searched) + 1)]
    files = [_file_of(document) for document in documents]
    snippets = [snippet(document, query) for document in documents]
    output.table(
        ["SCORE", *titles, "ID", *(["FILE"] if any(files) else []), "TEXT"],
        [
            [
                f"{document['score']:.4f}",
                *(_score(document["features"].get(uri)) for uri in searched),
                document["document_id"],
                *([file] if any(files) else []),
                piece,
            ]
            for document, file, piece in zip(documents, files, snippets, strict=True)
        ],
        empty="Nothing was found",
    )
    for stage, rows in (found.get("aggregations") or {}).items():
        output.show()
        names = list(dict.fromkeys(name for row in rows for name in row))
        output.table([name.upper() for name in names], [[row.get(name) for name in names] for row in rows], empty=stage)
    if explain:
        output.show()
        for title, uri in zip(titles, searched, strict=True):
            output.show(f"{title} {uri}")
        _show_stages(output, found["stage_statistics"])
    if documents and not any(files) and not any(snippets):
        output.say(
            "These documents keep no text; `mixpeek collection create … --keep FIELD` has them keep a field of"
            " their object"
        )
    for warning in found["warnings"]:
        output.say(f"warning: {warning}", "yellow")


def _show_stages(output: Output, statistics: Mapping[str, Any]) -> None:
    output.table(
        ("STAGE", "IN", "OUT", "MS", "REMEMBERED"),
        [
            (
                name,
                stage["input_count"],
                stage["output_count"],
                f"{stage['duration_ms']:.1f}",
                "yes" if stage["cache_hit"] else "",
            )
            for name, stage in statistics["stages"].items()
        ],
        empty="",
    )
    output.show(f"{statistics['total_time_ms']:.1f} ms in all")


def snippet(document: Mapping[str, Any], query: str, length: int = _SNIPPET_LENGTH) -> str:
    """Return a piece of a document's longest text, around the first of the words that were looked for."""
    texts = [value for name, value in document.items() if name not in _NOT_SHOWN and isinstance(value, str)]
    text = " ".join(max(texts, key=len, default="").split())
    if len(text) <= length:
        return text
    words = [re.escape(word) for word in re.findall(r"\w{3,}", query)]
    first = re.search("|".join(words), text, re.IGNORECASE) if words else None
    start = max(0, min((first.start() if first else 0) - length // 3, len(text) - length))
    if start:
        start = text.find(" ", start) + 1 or start
    piece = text[start : start + length]
    return f"{'…' if start else ''}{piece.strip()}{'…' if start + length < len(text) else ''}"


def _file_of(document: Mapping[str, Any]) -> str:
    """Return the name of the file that a document was made of, empty if it was made of none, or does not tell."""
    blobs = document.get("_internal", {}).get("source_blobs") or [{}]
    return str(blobs[0].get("filename") or "")


def _score(feature: Mapping[str, Any] | None) -> str:
    return "" if feature is None else f"{feature['score']:.4f}"
