"""Which part of an execution's results is shown, and how the next request says where to go on. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mixpeek.errors import InvalidRequest
from mixpeek.filters.surface import MISSING
from mixpeek.retrieval.results import Result
from mixpeek.retrieval.schemas import Pagination

MOST_SHOWN = 500


@dataclass(frozen=True)
class Shown:
    """A page of results; `wire` is the answer's `pagination`."""

    results: list[Result]
    wire: dict[str, Any]


class Fingerprint:
    """Tells executions apart whose pages do not belong together; computed only where there is more than one page."""

    def __init__(self, *parts: Any) -> None:
        """Take what an execution is made of, as JSON has it."""
        self._parts = parts

    @cached_property
    def text(self) -> str:
        text = json.dumps(self._parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def page_of(results: Sequence[Result], wanted: Pagination | None, fingerprint: Fingerprint) -> Shown:
    """Return the part of the results that is asked for; without a wish all of them, MOST_SHOWN at most.

    Results are found anew for each page. A cursor or marker goes on behind the last document shown, wherever that is by
    now; where it is gone, at the one that came next; where both are, at the place.

    Raises: InvalidRequest: a cursor of other inputs, or of another server.
    """
    size = wanted.size if wanted else MOST_SHOWN
    start = _start(results, wanted, fingerprint)
    shown = list(results[start : start + size])
    has_next = start + size < len(results)
    is_by_number = wanted is not None and wanted.method == "offset"
    number = start // size + 1 if start % size == 0 else None
    wire: dict[str, Any] = {
        "method": wanted.method if wanted else "cursor",
        "total": len(results),
        "page": number,
        "page_size": size,
        "total_pages": -(-len(results) // size),
        "has_next": has_next,
        "next_page": number + 1 if has_next and is_by_number and number else None,
        "previous_page": number - 1 if is_by_number and number and number > 1 else None,
        "next_cursor": None,
        "after": None,
        "scroll_id": None,
    }
    if has_next and shown:
        last, following, place = shown[-1], results[start + size].document_id, start + size - 1
        if wanted is None or wanted.method == "cursor":
            wire["next_cursor"] = _cursor(place, last.document_id, following, fingerprint.text)
        elif wanted.method == "keyset":
            wire["after"] = {
                "score": last.score,
                "document_id": last.document_id,
                "next_document_id": following,
                "position": place,
            }
    return Shown(shown, wire)


def _start(results: Sequence[Result], wanted: Pagination | None, fingerprint: Fingerprint) -> int:
    if wanted is None:
        return 0
    if wanted.method == "offset":
        return wanted.offset if wanted.offset is not None else (wanted.page_number - 1) * wanted.size
    if wanted.method == "keyset" and wanted.after:
        return _behind_marker(results, wanted.after)
    if wanted.method == "cursor" and wanted.cursor:
        place, document_id, following, made_for = _read_cursor(wanted.cursor)
        if made_for != fingerprint.text:
            raise InvalidRequest(
                "The cursor belongs to other inputs, or to another retriever", hint="Start without a cursor"
            )
        return _behind(results, document_id, following, place)
    return 0


def _behind_marker(results: Sequence[Result], after: dict[str, Any]) -> int:
    document_id, following, score, place = (
        after.get(name) for name in ("document_id", "next_document_id", "score", "position")
    )
    is_whole = isinstance(following, str | None) and isinstance(place, int | None)
    if not isinstance(document_id, str) or not is_whole or not isinstance(score, int | float | None):
        raise InvalidRequest("`after` is no marker of a page", hint="Send the whole `after` of the answer before")
    if place is None and score is not None:  # a marker of a client's own, of results that come by their score
        place = next((place for place, each in enumerate(results) if each.score < score), None)
    return _behind(results, document_id, following, len(results) if place is None else place)


def _behind(results: Sequence[Result], document_id: str, following: str | None, otherwise: int) -> int:
    places = {each.document_id: place for place, each in enumerate(results)}
    if document_id in places:
        return places[document_id] + 1
    return places.get(following or "", max(0, otherwise))


def _cursor(place: int, document_id: str, following: str, fingerprint: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, document_id, following, fingerprint]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str, str, str]:
    try:
        place, *texts = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        document_id, following, fingerprint = texts
        is_ours = isinstance(place, int) and place >= 0 and all(isinstance(text, str) for text in texts)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise InvalidRequest("The cursor is not one of this server's", hint="Start without a cursor")
    return place, document_id, following, fingerprint


def rows_from_results(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return results as a scroll keeps them; documents are read again for each page, unless a stage wrote them."""
    rows: list[dict[str, Any]] = []
    for each in results:
        row: dict[str, Any] = {
            "id": each.document_id,
            "collection": each.collection_id,
            "score": each.score,
            "features": each.features,
        }
        if each.scores:
            row["scores"] = each.scores
        if each.fields is not None:
            row |= {"fields": each.fields, "bare": each.bare}
        if each.group is not MISSING:
            row["group"] = each.group
        rows.append(row)
    return rows


def results_from_rows(rows: Sequence[dict[str, Any]]) -> list[Result]:
    """Return what `rows_from_results` wrote down."""
    return [
        Result(
            row["id"],
            row["collection"],
            row["score"],
            row["features"],
            row.get("scores", {}),
            fields=row.get("fields"),
            bare=row.get("bare", False),
            group=row.get("group", MISSING),
        )
        for row in rows
    ]
