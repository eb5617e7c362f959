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


def lines_in(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a stream that comes in pieces; one that was not ended is left out.

    Only a line feed ends one: what Python and httpx cut at besides, U+2028 say, may stand in the JSON of an event.
    """
    pending = ""
    for piece in pieces:
        *lines, pending = (pending + piece).split("\n")
        yield from lines


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
