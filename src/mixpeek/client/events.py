"""Server-sent events, as far as this server sends them: an id, a kind and one line of JSON each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One event; `kind` is `message` where the server names none."""

    id: str
    kind: str
    data: str


@dataclass
class EventReader:
    """Reads a stream that comes in pieces; who gets the pieces, and how, is no concern of it."""

    _pending: str = ""
    _fields: dict[str, str] = field(default_factory=dict)

    def feed(self, piece: str) -> Iterator[Event | None]:
        """Yield what a piece completes: events, and None for a comment, by which a server says that it is there."""
        for line in self.lines(piece):
            if line.startswith(":"):
                yield None
            elif line:
                name, _, value = line.partition(":")
                self._fields[name] = value.removeprefix(" ")
            elif self._fields:
                found, self._fields = self._fields, {}
                yield Event(found.get("id", ""), found.get("event", "message"), found.get("data", ""))

    def lines(self, piece: str) -> list[str]:
        """Return the lines that a piece ends; one that is never ended is left out.

        Only a line feed ends one: what Python and httpx cut at besides, U+2028 say, may stand in the JSON of an event.
        """
        *lines, self._pending = (self._pending + piece).split("\n")
        return lines


def lines_in(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a stream that comes in pieces."""
    reader = EventReader()
    for piece in pieces:
        yield from reader.lines(piece)


def events_from(lines: Iterable[str]) -> Iterator[Event | None]:
    """Yield the events in the lines of a stream, and None for a comment."""
    reader = EventReader()
    for line in lines:
        yield from reader.feed(f"{line}\n")
