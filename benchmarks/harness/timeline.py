"""What was done to a server and when, and how the requests of an open loop fared meanwhile."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# A switch: this long before and after the first answer of the version that takes over.
AROUND_SWITCH_S = 1.0
# What an event set in motion may go on behind it: blue drains, a replica is started again.
AFTERMATH_S = 1.0


@dataclass(frozen=True)
class Outcome:
    """How one request went; `due` by CLOCK_MONOTONIC, `status` 0 where no answer came."""

    due: float
    seconds: float
    status: int
    version: str
    error: str

    @property
    def answered_at(self) -> float:
        return self.due + self.seconds

    @property
    def is_good(self) -> bool:
        return self.status == 200


@dataclass
class Event:
    """Something that was done: its kind, what exactly, from when to when, and what it should make answer."""

    kind: str
    what: str
    began: float
    ended: float = 0.0
    version: str | None = None
    result: str = "under way"

    def covers(self, at: float) -> bool:
        return self.began <= at <= self.ended + AFTERMATH_S


@dataclass
class Timeline:
    """The events of one run, in order."""

    events: list[Event] = field(default_factory=list)

    @contextlib.contextmanager
    def during(self, kind: str, what: str, version: str | None = None) -> Iterator[Event]:
        event = Event(kind, what, time.monotonic(), version=version)
        self.events.append(event)
        try:
            yield event
        finally:
            event.ended = time.monotonic()

    def at(self, moment: float) -> str:
        """Return what was going on at a moment."""
        going_on = [event.what for event in self.events if event.covers(moment)]
        return " and ".join(going_on) or "nothing: steady load"


def read_outcomes(record: Path) -> list[Outcome]:
    """Return what `open_loop.py` wrote, by the time each request was due."""
    return sorted((Outcome(*json.loads(line)) for line in record.read_text().splitlines()), key=lambda each: each.due)


def switches(events: Sequence[Event], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return, for each event that made another version live, the moment of that version's first answer."""
    found = {}
    for event in events:
        if event.version is not None:
            answers = (each.answered_at for each in outcomes if each.version == event.version)
            first = min((at for at in answers if at >= event.began), default=None)
            if first is not None:
                found[event.what] = first
    return found


def around(moments: Sequence[float], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the requests that were due, or were waiting, around any of some moments."""
    return [
        each
        for each in outcomes
        if any(each.due <= at + AROUND_SWITCH_S and each.answered_at >= at - AROUND_SWITCH_S for at in moments)
    ]


def within(events: Sequence[Event], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the requests that were due while any of some events, or its aftermath, went on."""
    return [each for each in outcomes if any(event.covers(each.due) for event in events)]


def outside(events: Sequence[Event], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the requests that met none of the events."""
    return [each for each in outcomes if not any(event.covers(each.due) for event in events)]
