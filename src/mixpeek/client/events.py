"""Server-sent events, as far as this server sends them: an id, a kind and one line of JSON each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event; `kind` is `message` where the server names none."""

    id: str
    kind: str
    data: str


def events_from(lines: Iterable[str]) -> Iterator[Event | None]:
    """Yield the events in the lines of a stream, and None for a comment, by which a server says that it is there."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield Event(fields.get("id", ""), fields.get("event", "message"), fields.get("data", ""))
            fields = {}
