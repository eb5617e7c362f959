"""What flows between stages: documents with their scores, or the scan that would find them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mixpeek.documents.port import Document
from mixpeek.documents.surface import SURFACE
from mixpeek.errors import InvalidRequest
from mixpeek.filters.evaluate import matches
from mixpeek.filters.model import EVERYTHING, AllOf, Filter
from mixpeek.filters.query import Sort
from mixpeek.filters.surface import MISSING, Column, Surface

# What a document shows to stages: its own fields, and what the stages before made of it.
RESULTS = Surface(
    columns={
        **SURFACE.columns,
        "score": Column("score"),
        "scores": Column("scores", "json"),
        "features": Column("features", "json"),
    },
    rest=SURFACE.rest,
    also=SURFACE.also,
    prefixes=SURFACE.prefixes,
)

# What an answer says of a document beside its fields; no stage can set these, but for `score` and what is in `scores`.
OWN = frozenset(
    ("document_id", "collection_id", "document_blobs", "_internal", "score", "scores", "features", "group_key")
)


@dataclass
class Result:
    """One document on its way through the stages.

    `features` holds its score in each search by feature URI, `scores` those of later stages by name. `stored` is the
    document once it has been read; `fields` stands in for its payload once a stage has changed it, and with `bare` for
    all of it.
    """

    document_id: str
    collection_id: str
    score: float
    features: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    stored: Document | None = None
    fields: dict[str, Any] | None = None
    bare: bool = False
    group: Any = MISSING

    def record(self) -> dict[str, Any]:
        """Return the columns of `RESULTS`; the document has been read."""
        stored = self.stored
        assert stored is not None or self.fields is not None, "a stage reads a document that was not loaded"
        return {
            "document_id": self.document_id,
            "collection_id": self.collection_id,
            "payload": self.fields if stored is None or self.fields is not None else stored.payload,
            "internal": stored.internal if stored else {},
            "created_at": stored.created_at if stored else None,
            "updated_at": stored.updated_at if stored else None,
            "score": self.score,
            "scores": self.scores,
            "features": self.features,
        }

    def read(self, name: str) -> Any:
        """Return the value of a field, MISSING if there is none."""
        return RESULTS.read(self.record(), name)

    def passes(self, wanted: Filter) -> bool:
        return matches(wanted, RESULTS, self.record())

    def write(self, name: str, value: Any) -> None:
        """Set a field; `score` and `scores.x` are the result's own, any other is the document's as answered.

        Raises: InvalidRequest: a score that is no number.
        """
        first, _, rest = name.partition(".")
        if name == "score":
            score = number_of(value)
            if score is None:
                raise InvalidRequest(f"A score is a number, not {str(value)[:80]!r}", hint="Name another field")
            self.score = score
        elif first == "scores" and rest:
            self.scores[rest] = value
        else:
            if self.fields is None:
                self.fields = copy.deepcopy(self.stored.payload) if self.stored else {}
            put(self.fields, name, value)

    def wire(self) -> dict[str, Any]:
        """Return the document as it is answered."""
        if self.bare:
            body = dict(self.fields or {})
            body |= {"document_id": self.document_id, "collection_id": self.collection_id}
        elif self.stored is not None:
            wire = self.stored.wire()
            if self.fields is not None:
                system = {name: wire[name] for name in ("document_id", "collection_id", "document_blobs", "_internal")}
                body = {**self.fields, **self.stored.vectors, **system}
            else:
                body = wire
        else:
            body = {"document_id": self.document_id, "collection_id": self.collection_id, **(self.fields or {})}
        body["score"] = self.score
        body["features"] = {uri: {"score": score} for uri, score in self.features.items()}
        if self.scores:
            body["scores"] = self.scores
        if self.group is not MISSING:
            body["group_key"] = self.group
        return body


@dataclass(frozen=True)
class Scan:
    """All documents that pass a filter, not read yet: what only narrows, sorts or cuts them is left to the store."""

    where: Filter = EVERYTHING
    sort: Sort | None = None
    limit: int | None = None
    offset: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether it is a part of an order, which no further filter may look through."""
        return self.limit is not None or self.offset > 0


Flow = list[Result] | Scan


def both(one: Filter, other: Filter) -> Filter:
    """Return the filter that both hold."""
    if EVERYTHING in (one, other):
        return other if one == EVERYTHING else one
    return AllOf((one, other))


def put(into: dict[str, Any], name: str, value: Any) -> None:
    """Set a field by its dotted path, making the objects on the way; what is no object there is replaced."""
    *way, last = name.split(".")
    for step in way:
        inner = into.get(step)
        if not isinstance(inner, dict):
            inner = into[step] = {}
        into = inner
    into[last] = value


def found(value: Any) -> Any:
    """Return a value that was read, None for a missing one."""
    return None if value is MISSING else value


def number_of(value: Any) -> float | None:
    """Return a value that is a number, and not beyond what can be computed with, else None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def hashable(value: Any) -> Any:
    """Return what tells two JSON values apart, as a key; true is no 1."""
    if isinstance(value, Mapping):
        return ("object", tuple(sorted((key, hashable(item)) for key, item in value.items())))
    if isinstance(value, list):
        return ("list", tuple(map(hashable, value)))
    return (isinstance(value, bool), value)
