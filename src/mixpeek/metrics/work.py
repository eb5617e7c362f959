"""Tasks and rows that ended while this process runs, counted from the tasks as they change: each once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mixpeek.metrics.families import Samples
from mixpeek.workflows.tasks import TERMINAL

# As `queries.SETTLED_AFTER`, for the same reason.
_OVERLAP = timedelta(minutes=1)
# A task that has not changed for this long has lost its namespace, or its worker for good.
_FORGOTTEN_AFTER = timedelta(days=1)
ROWS = ("written", "skipped", "failed")


@dataclass(frozen=True)
class _Task:
    """A task as it was last seen."""

    is_ended: bool
    progress: Mapping[str, int]
    updated_at: datetime


class Work:
    """Counts what tasks tell of, from `began_at` on."""

    def __init__(self, began_at: datetime) -> None:
        self.since = began_at
        self._began_at = began_at
        self._known: dict[str, _Task] = {}
        self._is_first = True
        self._ended: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[str] = Counter(dict.fromkeys(ROWS, 0))
        self._chunks = 0

    def take(self, tasks: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Count what changed since the last look in `tasks`: those changed since `since`; `now` is their clock's."""
        for task in tasks:
            self._count(task)
        self._is_first = False
        self.since = max(self._began_at, now - _OVERLAP)
        self._known = {
            task_id: task
            for task_id, task in self._known.items()
            if task.updated_at > (self.since if task.is_ended else now - _FORGOTTEN_AFTER)
        }

    def _count(self, task: Mapping[str, Any]) -> None:
        progress = {name: count for name, count in (task["progress"] or {}).items() if type(count) is int}
        before = self._known.get(task["task_id"])
        is_ended = task["status"] in TERMINAL
        self._known[task["task_id"]] = _Task(is_ended, progress, task["updated_at"])
        if is_ended and not (before and before.is_ended):
            self._ended[task["workflow"], task["status"]] += 1
        if before is None and self._is_first and task["created_at"] < self._began_at:
            return  # what it had done before is unknown: it counts from here on
        known = before.progress if before else {}
        for name in ROWS:
            self._rows[name] += max(0, progress.get(name, 0) - known.get(name, 0))
        self._chunks += max(0, progress.get("chunks_committed", 0) - known.get("chunks_committed", 0))

    def samples(self) -> Samples:
        """Return the counts so far."""
        samples: Samples = defaultdict(list)
        samples["tasks_total"] = [(labels, count) for labels, count in sorted(self._ended.items())]
        samples["batch_rows_total"] = [((name,), self._rows[name]) for name in ROWS]
        samples["batch_chunks_total"] = [((), self._chunks)]
        return samples
