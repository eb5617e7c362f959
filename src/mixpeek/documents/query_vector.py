"""A query's vector as pgvector receives it in binary: written as text, it took longer than some searches."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format


class QueryVector:
    """Numbers that are sent as a vector; the statement's first mention of it is cast to `vector`."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Sequence[float]) -> None:
        self.numbers = numbers


class _VectorDumper(Dumper):
    """Dimensions and an unused number, two bytes each, then single-precision numbers; all in network order.

    Without a type of its own, which every database numbers anew: the cast says what it is.
    """

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        numbers = array("f", obj.numbers)
        if sys.byteorder == "little":
            numbers.byteswap()
        return struct.pack(">HH", len(numbers), 0) + numbers.tobytes()


psycopg.adapters.register_dumper(QueryVector, _VectorDumper)
