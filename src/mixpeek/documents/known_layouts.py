"""Where each index's vectors are, remembered: every search has to know, and it hardly ever changes.

A search whose layout is no longer right finds nothing (`SearchStatement` sees to it), and looks it up again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from mixpeek.db.pool import Connection
from mixpeek.documents.port import Index
from mixpeek.documents.segment_queries import Layout, layouts

MOST = 20_000
# An index is in both places only until its first segments are merged; a search that goes on asking both takes longer.
BOTH_FOR_S = 1.0


class KnownLayouts:
    """The layouts that searches of this process met last; threads share it, each entry is written whole."""

    def __init__(self) -> None:
        self._known: dict[Index, tuple[Layout, float]] = {}

    def recall(self, indexes: Sequence[Index]) -> list[Layout] | None:
        """Return the layouts of indexes as they were last, None unless all are known."""
        found = [layout for index in indexes if (layout := self._recall(index)) is not None]
        return found if len(found) == len(indexes) else None

    def _recall(self, index: Index) -> Layout | None:
        layout, until = self._known.get(index, (None, 0.0))
        return layout if time.monotonic() < until else None

    def look_up(self, connection: Connection, indexes: Sequence[Index]) -> list[Layout]:
        """Return the layouts of indexes as they are now."""
        found = layouts(connection, indexes)
        if len(self._known) > MOST:
            self._known.clear()
        both_until = time.monotonic() + BOTH_FOR_S
        for index, layout in zip(indexes, found, strict=True):
            self._known[index] = (layout, both_until if layout.is_shared and layout.number is not None else math.inf)
        return found

    def forget(self) -> None:
        self._known.clear()
