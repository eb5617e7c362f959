"""The workflow that indexes and merges the segments of a collection, asked for by the database when one is sealed."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Database
from mixpeek.documents.port import Index
from mixpeek.documents.segment_building import SegmentBuilder
from mixpeek.workflows import tasks
from mixpeek.workflows.port import Steps, Workflow

INDEX_SEGMENTS = "index_segments"


class Indexing:
    """Every step is taken from how the segments stand, so that a task which was interrupted goes on where it was."""

    def __init__(self, database: Database, builder: SegmentBuilder) -> None:
        self._database = database
        self._builder = builder

    def workflow(self) -> Workflow:
        # One at a time: each takes a processor for as long as it runs, and searches want the others.
        return Workflow(INDEX_SEGMENTS, self.run, 1, poll_s=3.0)

    def run(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        index = Index(inputs["collection_id"], inputs["generation"])
        done: list[str] = []
        while True:
            self._note(steps, task_id, "PROCESSING", done)
            step = steps.repeatable("segment", lambda: self._builder.next_step(index, task_id))
            if step is None:
                break
            done.append(step)
        self._note(steps, task_id, "COMPLETED", done)

    def _note(self, steps: Steps, task_id: str, status: str, done: list[str]) -> None:
        def note() -> None:
            with self._database.transaction() as connection:
                tasks.update_task(connection, task_id, status, outputs={"steps": done}, progress={"steps": len(done)})

        steps.repeatable("note", note)
