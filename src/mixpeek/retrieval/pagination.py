"""Which part of an execution's results is shown, and how the next request says where to go on. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
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


def fingerprint_of(stages: Any, inputs: Any) -> str:
    """Return what tells executions apart whose pages do not belong together."""
    text = json.dumps([stages, inputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def page_of(results: Sequence[Result], wanted: Pagination | None, fingerprint: str) -> Shown:
    """Return the part of the results that is asked for; without a wish all of them, MOST_SHOWN at most.

    Results are found anew for each page. A cursor goes on behind the last document shown, wherever that is by now;
    where it is gone, at its place.

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
        if wanted is None or wanted.method == "cursor":
            wire["next_cursor"] = _cursor(start + size, shown[-1], fingerprint)
        elif wanted.method == "keyset":
            wire["after"] = {"score": shown[-1].score, "document_id": shown[-1].document_id}
    return Shown(shown, wire)


def _start(results: Sequence[Result], wanted: Pagination | None, fingerprint: str) -> int:
    if wanted is None:
        return 0
    if wanted.method == "offset":
        return wanted.offset if wanted.offset is not None else (wanted.page_number - 1) * wanted.size
    if wanted.method == "keyset" and wanted.after:
        return _behind_marker(results, wanted.after)
    if wanted.method == "cursor" and wanted.cursor:
        place, document_id, made_for = _read_cursor(wanted.cursor)
        if made_for != fingerprint:
            raise InvalidRequest(
                "The cursor belongs to other inputs, or to another retriever", hint="Start without a cursor"
            )
        return _behind(results, document_id, place)
    return 0


def _behind_marker(results: Sequence[Result], after: dict[str, Any]) -> int:
    document_id, score = after.get("document_id"), after.get("score")
    if not isinstance(document_id, str) or (score is not None and not isinstance(score, int | float)):
        raise InvalidRequest(
            "`after` is no marker of a page", hint="Send the `after` of the answer before: `score` and `document_id`"
        )
    gone_at = len(results)
    if score is not None:
        gone_at = next((place for place, each in enumerate(results) if each.score < score), len(results))
    return _behind(results, document_id, gone_at)


def _behind(results: Sequence[Result], document_id: str, otherwise: int) -> int:
    return next((place + 1 for place, each in enumerate(results) if each.document_id == document_id), otherwise)


def _cursor(place: int, last: Result, fingerprint: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, last.document_id, fingerprint]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str, str]:
    try:
        place, document_id, fingerprint = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        is_ours = isinstance(place, int) and place >= 0 and isinstance(document_id, str)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise InvalidRequest("The cursor is not one of this server's", hint="Start without a cursor")
    return place, document_id, str(fingerprint)


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
