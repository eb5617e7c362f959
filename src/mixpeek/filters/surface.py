"""Which fields a kind of thing has: columns by name, and JSON columns with fields of their own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from mixpeek.filters.model import FilterInvalid

# `time` reads as a text such as 2026-01-31T08:00:00.000000Z, whose order is that of time; `value` is any other column.
Kind = Literal["json", "time", "value"]
MISSING = object()
_INDEX = re.compile(r"[ \t\n\r\f\v]*[+-]?[0-9]+")
_BIGGEST_INDEX = 2**31 - 1


@dataclass(frozen=True)
class Column:
    """A column of the statement that is filtered; `name` is written into SQL, so it never comes from a request."""

    name: str
    kind: Kind = "value"


@dataclass(frozen=True)
class Place:
    """Where a field may be kept: a column, or what a path leads to within a JSON column."""

    column: Column
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surface:
    """The fields that a filter, a sort or a search can name.

    `columns` holds columns by field name; the fields of a JSON column are named after it (`_internal.lineage.path`).
    Any other name is a field of the JSON column `rest`, if there is one. `also` names the field that stands in for one
    that is not there; a first part among `prefixes` is left out where it leads nowhere (`metadata.topic` → `topic`).
    `searched` are the fields that `search` reads, `*` all of `rest`.
    """

    columns: Mapping[str, Column]
    rest: Column | None = None
    also: Mapping[str, str] = field(default_factory=dict)
    prefixes: frozenset[str] = frozenset()
    searched: Sequence[str] = ()

    def places(self, name: str) -> list[Place]:
        """Return where a field may be, in the order of precedence.

        Raises: FilterInvalid: there is no such field.
        """
        first, _, inner = name.partition(".")
        if name in self.columns:
            return [Place(self.columns[name])]
        if first in self.columns and self.columns[first].kind == "json":
            return [Place(self.columns[first], tuple(inner.split(".")))]
        if self.rest is None:
            near = difflib.get_close_matches(name, self.columns, n=1)
            advice = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(self.columns))}"
            raise FilterInvalid(f"There is no field {name!r} to go by", hint=advice, field=name)
        found = [Place(self.rest, tuple(name.split(".")))]
        if inner:
            found.append(Place(self.rest, (name,)))
            if first in self.prefixes:
                found.append(Place(self.rest, tuple(inner.split("."))))
        elif name in self.also:
            found += self.places(self.also[name])
        return found

    def read(self, record: Mapping[str, Any], name: str) -> Any:
        """Return a field's value in a record, which holds the value of each column by its name; else MISSING."""
        for place in self.places(name):
            value = record.get(place.column.name, MISSING)
            if value is None and place.column.kind != "json":
                value = MISSING  # an empty column is no JSON null
            if isinstance(value, datetime):
                value = text_of_time(value)
            for step in place.path:
                value = _inside(value, step)
            if value is not MISSING:
                return value
        return MISSING

    def is_time(self, name: str) -> bool:
        places = self.places(name)
        return len(places) == 1 and places[0].column.kind == "time"


def text_of_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_from_text(name: str, text: Any) -> str:
    """Return a moment in the form that is compared.

    Raises: FilterInvalid: it is not written as ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise FilterInvalid(
            f"{name} is a time, and {text!r} is none", hint="Write it as 2026-01-31 or 2026-01-31T08:00:00Z", field=name
        ) from None
    return text_of_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def is_position(step: str) -> bool:
    """Tell whether a step of a path leads to an item of a list, where there is one."""
    return _INDEX.fullmatch(step) is not None and abs(int(step)) <= _BIGGEST_INDEX


def _inside(value: Any, step: str) -> Any:
    """Return what `#>` of PostgreSQL finds: a key of an object, an item of a list by its number."""
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list) and is_position(step):
        at = int(step)
        return value[at] if -len(value) <= at < len(value) else MISSING
    return MISSING
