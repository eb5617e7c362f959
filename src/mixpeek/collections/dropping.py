"""The workflow that removes a generation which was given up: its documents page by page, then itself."""

from __future__ import annotations

from typing import Any

from mixpeek.collections import upgrade_queries
from mixpeek.db.pool import Connection, Database
from mixpeek.documents.port import DocumentStore, Index
from mixpeek.tenancy.models import Namespace
from mixpeek.workflows import tasks
from mixpeek.workflows.port import Steps, Workflow

DROP_GENERATION = "drop_generation"
# Documents removed in one transaction.
PAGE = 2000


def give_up(connection: Connection, namespace: Namespace, index: Index) -> str:
    """Have a generation that is not searched removed; nothing is written to it any more. Return the task that does."""
    upgrade_queries.set_state(connection, index.collection_id, index.generation, "dropping")
    return tasks.submit(
        connection,
        workflow=DROP_GENERATION,
        task_type="api_collections_drop_generation",
        organization_id=namespace.organization_id,
        namespace_id=namespace.namespace_id,
        inputs={"collection_id": index.collection_id, "generation": index.generation},
    )


class Dropping:
    """Each page is taken from what is left, so that a task which was interrupted goes on where it was."""

    def __init__(self, database: Database, documents: DocumentStore) -> None:
        self._database = database
        self._documents = documents

    def workflow(self) -> Workflow:
        return Workflow(DROP_GENERATION, self.run, 1, poll_s=3.0)

    def run(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        index = Index(inputs["collection_id"], inputs["generation"])
        while steps.repeatable("page", lambda: self._drop_page(index, task_id)):
            pass
        steps.repeatable("end", lambda: self._end(index, task_id))

    def _drop_page(self, index: Index, task_id: str) -> int:
        with self._database.transaction() as connection:
            removed = self._documents.remove_some(connection, index, PAGE)
            left = self._documents.count(connection, index)
            tasks.update_task(connection, task_id, "PROCESSING", progress={"documents_left": left})
            return removed

    def _end(self, index: Index, task_id: str) -> None:
        with self._database.transaction() as connection:
            upgrade_queries.delete_dropped(connection, index.collection_id, index.generation)
            tasks.update_task(connection, task_id, "COMPLETED", progress={"documents_left": 0})
