"""Changes to an input, each described by three numbers, so that any engine can draw, replay and shrink them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

MAX_BYTES = 64 * 1024
_EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 511, 512, 513, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


@dataclass(frozen=True)
class Change:
    """What to do, where (0 is the start, 65,535 the end of the input), and with which number."""

    kind: int
    at: int
    value: int


def drawn(choose: random.Random, most: int = 6) -> list[Change]:
    """Return a few changes, mostly one or two."""
    count = choose.choice([1, 1, 1, 2, 2, 3, most])
    return [Change(choose.randrange(256), choose.randrange(65_536), choose.randrange(65_536)) for _ in range(count)]


def apply(changes: Sequence[Change], data: bytes, tokens: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """Return the input after the changes.

    Args:
        tokens: words of the format, to be put in.
        others: whole inputs, to take parts of.
    """
    raw = bytearray(data)
    for change in changes:
        _apply(change, raw, tokens, others)
        del raw[MAX_BYTES:]
    return bytes(raw)


def _apply(change: Change, raw: bytearray, tokens: Sequence[bytes], others: Sequence[bytes]) -> None:
    at = change.at * (len(raw) + 1) // 65_536
    value = change.value
    length = 1 + value % 64
    kind = change.kind % 12
    if kind == 0 and at < len(raw):
        raw[at] ^= 1 << value % 8
    elif kind == 1 and at < len(raw):
        raw[at] = value % 256
    elif kind in (2, 3):
        width = (1, 2, 4, 8)[value % 4]
        number = _EDGES[value // 4 % len(_EDGES)] % 256**width
        raw[at : at + width] = number.to_bytes(width, "little" if kind == 2 else "big")
    elif kind == 4:
        del raw[at : at + length]
    elif kind == 5:
        raw[at:at] = raw[at : at + length * 8]
    elif kind in (6, 7) and tokens:
        token = tokens[value % len(tokens)]
        raw[at : at + (len(token) if kind == 6 else 0)] = token
    elif kind == 8:
        del raw[at:]
    elif kind == 9 and others:
        other = others[value % len(others)]
        start = value * 31 % (len(other) + 1)
        raw[at:at] = other[start : start + 16 * length]
    elif kind == 10:
        piece = bytes(raw[at : at + 1 + value % 8])
        raw[at:at] = piece * (value % 2_000)
    elif kind == 11 and at < len(raw):
        raw[at] = (raw[at] + (value % 35) - 17) % 256
