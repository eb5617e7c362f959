"""How the batches of one worker share its hosts: alike by namespace, then alike by batch, each with one at least."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

Key = TypeVar("Key")

# What a host takes of the whole; of those that wait for a network, four take as much as one that computes.
COMPUTING, WAITING = 4, 1
# How long somebody who stands aside goes without looking whether anything is left to do.
_LOOK_S = 0.3


@dataclass(frozen=True)
class Wish:
    """So many hosts of this weight are of use to a batch of this namespace."""

    namespace_id: str
    hosts: int
    weight: int = COMPUTING


def fill(whole: int, wishes: Mapping[Key, int]) -> dict[Key, int]:
    """Share out a whole: nobody gets more than their wish, and nobody less than another who wishes more. Pure.

    What does not divide evenly goes to the first in order.
    """
    given: dict[Key, int] = {}
    open_ones = sorted(wishes, key=lambda key: wishes[key])
    while open_ones:
        key = open_ones.pop(0)
        even = -(-whole // (len(open_ones) + 1))
        given[key] = min(wishes[key], even)
        whole -= given[key]
    return given


def share_out(whole: int, wishes: Sequence[Wish]) -> list[int]:
    """Return how many hosts each wish is granted, one at least. Pure."""
    by_namespace: dict[str, dict[int, int]] = {}
    for place, wish in enumerate(wishes):
        by_namespace.setdefault(wish.namespace_id, {})[place] = wish.hosts * wish.weight
    parts = fill(whole, {namespace: sum(own.values()) for namespace, own in by_namespace.items()})
    granted: dict[int, int] = {}
    for namespace, own in by_namespace.items():
        granted |= fill(parts[namespace], own)
    return [max(1, granted[place] // wish.weight) for place, wish in enumerate(wishes)]


class Shares:
    """The hosts of one worker; thread-safe."""

    def __init__(self, hosts: int) -> None:
        self._whole = hosts * COMPUTING
        self._changed = threading.Condition()
        self._shares: list[Share] = []

    @contextmanager
    def joined(self, wish: Wish) -> Iterator[Share]:
        """Have the batch take part while the context lasts."""
        share = Share(wish, self._changed, self._settle)
        with self._changed:
            self._shares.append(share)
            self._settle()
        try:
            yield share
        finally:
            with self._changed:
                self._shares.remove(share)
                self._settle()

    def resize(self, hosts: int) -> None:
        """Have so many hosts to share from now on."""
        with self._changed:
            if self._whole != hosts * COMPUTING:
                self._whole = hosts * COMPUTING
                self._settle()

    def _settle(self) -> None:
        granted = share_out(self._whole, [each.wish for each in self._shares])
        for share, hosts in zip(self._shares, granted, strict=True):
            share.hosts = hosts
        self._changed.notify_all()


class Share:
    """What one batch may use at the moment: of its hosts that are at work, the first `hosts` by their place."""

    def __init__(self, wish: Wish, changed: threading.Condition, settle: Callable[[], None]) -> None:
        self.wish = wish
        self.hosts = 1
        self._changed = changed
        self._settle = settle
        self._at_work: set[int] = set()

    def begin(self, place: int) -> None:
        """Note that the host of this place is at work."""
        with self._changed:
            self._at_work.add(place)

    def allows(self, place: int) -> bool:
        """Tell whether the host of this place may take a further chunk; the first of those at work always may.

        Not the first of all: the last one at work may have to run what a lost machine leaves behind.
        """
        with self._changed:
            return sum(other < place for other in self._at_work) < self.hosts

    def wait(self, place: int, is_over: Callable[[], bool]) -> bool:
        """Return True as soon as the host of this place may go on, False once `is_over`."""
        with self._changed:
            while not is_over():
                if self.allows(place):
                    return True
                self._changed.wait(_LOOK_S)
        return False

    def give_back(self, place: int) -> None:
        """End the work of the host of this place, and wish for no more than the others: there is no chunk for it."""
        with self._changed:
            self._at_work.discard(place)
            self.wish = replace(self.wish, hosts=max(1, min(self.wish.hosts, len(self._at_work))))
            self._settle()
