"""The batch workflow: plan the chunks, run those still open, reconcile what is stored with what was expected."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from mixpeek.batches import queries
from mixpeek.batches.halting import Halted
from mixpeek.batches.job import Job
from mixpeek.batches.models import Batch, tiers_of
from mixpeek.batches.outages import Outages
from mixpeek.batches.planning import chunk_size
from mixpeek.batches.rows import Recipe
from mixpeek.batches.runner import ChunkRunner
from mixpeek.batches.service import RUN_BATCH
from mixpeek.batches.verdict import judge
from mixpeek.batches.versions import follows_active, is_fix_of
from mixpeek.collections.models import Collection
from mixpeek.collections.queries import find_collection
from mixpeek.db.pool import Connection, Database
from mixpeek.deployments.failure import describe_failure
from mixpeek.deployments.hosting import host_spec
from mixpeek.documents.port import Index
from mixpeek.errors import MixpeekError, NotFound, PlatformError
from mixpeek.execution.port import LogOrigin
from mixpeek.registry.environments import prepare_environment
from mixpeek.registry.extractors import find_extractor
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.workflows import tasks
from mixpeek.workflows.port import Steps, Workflow

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Batches that one worker runs side by side; each has hosts of its own.
CONCURRENT_BATCHES = 2


class BatchWorkflow:
    """Carries a batch from PENDING to its end."""

    def __init__(self, database: Database, registry: Registry, runner: ChunkRunner, chunk_rows: int) -> None:
        self._database = database
        self._registry = registry
        self._runner = runner
        self._chunk_rows = chunk_rows

    def workflow(self) -> Workflow:
        return Workflow(RUN_BATCH, self.run, CONCURRENT_BATCHES)

    def run(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        """Run one batch; a crash resumes at the first chunk that is not committed."""
        batch_id = inputs["batch_id"]
        try:
            steps.step("plan", lambda: self._outlasting(batch_id, lambda: self._plan(batch_id, task_id)))
            steps.step("build", lambda: self._outlasting(batch_id, lambda: self._build_environments(batch_id, task_id)))
            steps.step("run", lambda: self._run(batch_id, task_id))
            steps.step("reconcile", lambda: self._outlasting(batch_id, lambda: self._reconcile(batch_id, task_id)))
        except Halted:
            log.info(
                "batch %s was cancelled", batch_id
            )  # whoever cancelled it has said so, and nothing was stored since
        except Exception as error:
            # The edge of a workflow: whatever it was, the batch must not stay under way for ever.
            if not isinstance(error, MixpeekError):
                log.exception("batch %s failed", batch_id)
            message = describe_failure(error)
            steps.step("fail", lambda: self._outlasting(batch_id, lambda: self._fail(batch_id, task_id, message)))

    def _outlasting(self, batch_id: str, action: Callable[[], Result]) -> Result:
        return Outages(self._database, batch_id, time.sleep).outlast(action)

    def _plan(self, batch_id: str, task_id: str) -> None:
        with self._database.transaction() as connection:
            batch = _get(connection, batch_id)
            if not queries.begin_batch(connection, batch_id, task_id):
                raise Halted
            size = chunk_size(queries.count_objects(connection, batch), self._runner.hosts, self._chunk_rows)
            for collection in _collections(connection, batch):
                queries.plan_chunks(connection, batch, collection.collection_id, collection.live_generation, size)
            queries.count_planned(connection, batch_id)
            counts = queries.totals(connection, batch_id)
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"progress": counts})

    def _build_environments(self, batch_id: str, task_id: str) -> None:
        """Have the packages of every extractor in place; for one deployed for batches only, this is the first time."""
        with self._database.transaction() as connection:
            batch = _get(connection, batch_id)
            found = _collections(connection, batch)
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"phase": "building"})
        versions = [self._version(collection) for collection in found]
        told = {version.plugin_id: prepare_environment(self._registry, version).summary for version in versions}
        with self._database.transaction() as connection:
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"phase": "running", "environments": told})

    def _run(self, batch_id: str, task_id: str) -> None:
        with self._database.transaction() as connection:
            batch = _get(connection, batch_id)
        for collection_ids in tiers_of(batch):
            self._run_tier(batch, collection_ids, task_id)

    def _run_tier(self, batch: Batch, collection_ids: Sequence[str], task_id: str) -> None:
        """Run the open chunks of the collections of one tier."""
        with self._database.transaction() as connection:
            found = [c for c in _collections(connection, batch) if c.collection_id in collection_ids]
            work = [(c, queries.list_open_chunks(connection, batch.batch_id, c.collection_id)) for c in found]
        for collection, chunks in work:
            if chunks:
                job = self._outlasting(batch.batch_id, partial(self._job, collection, task_id, batch.batch_id))
                self._runner.run(job, chunks)

    def _version(self, collection: Collection) -> PluginVersion:
        """Return the version a collection was made with, or, where it names none, the active fix of it."""
        with self._database.transaction() as connection:
            made_by = self._registry.get(connection, collection.plugin_namespace, collection.plugin_id)
        extractor = collection.feature_extractor
        if not follows_active(extractor):
            return made_by
        try:
            active = find_extractor(
                self._registry, collection.namespace_id, extractor["feature_extractor_name"], extractor["version"]
            )
        except NotFound:
            return made_by  # it was withdrawn since; what made the collection is kept for it
        return active if is_fix_of(active, made_by) else made_by

    def _job(self, collection: Collection, task_id: str, batch_id: str) -> Job:
        version = self._version(collection)
        extractor = collection.feature_extractor
        manifest = version.parsed_manifest
        # Under the namespace whose objects are read, also where it shares the plugin with others.
        origin = LogOrigin(collection.namespace_id, version.plugin_id, "batch", batch_id=batch_id)
        return Job(
            task_id=task_id,
            batch_id=batch_id,
            recipe=Recipe(
                collection_id=collection.collection_id,
                extractor_id=version.plugin_id,
                namespace_id=collection.namespace_id,
                input_mappings=extractor["input_mappings"] or manifest.input_mappings,
                field_passthrough=extractor["field_passthrough"],
                include_all_source_fields=extractor["include_all_source_fields"],
            ),
            index=Index(collection.collection_id, collection.live_generation),
            manifest=manifest,
            parameters=extractor["parameters"],
            spec=host_spec(self._registry, version, origin),
        )

    def _reconcile(self, batch_id: str, task_id: str) -> None:
        with self._database.transaction() as connection:
            counts = queries.totals(connection, batch_id)
            stored = queries.count_stored(connection, batch_id)
            causes = queries.count_causes(connection, batch_id)
            first = queries.first_outcome(connection, batch_id)
            message = f"row {first['document_id']}: {first['message']}" if first else None
            verdict = judge(counts["rows"], counts["written"], stored, causes, message)
            if not queries.finish_batch(connection, batch_id, task_id, verdict.status, verdict.error, causes):
                raise Halted
            outputs = {"batch_id": batch_id, "documents_written": counts["written"], **counts, "causes": causes}
            tasks.update_task(
                connection,
                task_id,
                verdict.status,
                outputs=outputs,
                progress={"progress": counts},
                error=verdict.error,
            )

    def _fail(self, batch_id: str, task_id: str, message: str) -> None:
        with self._database.transaction() as connection:
            causes = queries.count_causes(connection, batch_id)
            if not queries.finish_batch(connection, batch_id, task_id, "FAILED", message, causes):
                return
            counts = queries.totals(connection, batch_id)
            tasks.update_task(
                connection,
                task_id,
                "FAILED",
                outputs={"batch_id": batch_id, **counts, "causes": causes},
                progress={"progress": counts},
                error=message,
            )


def _get(connection: Connection, batch_id: str) -> Batch:
    batch = queries.find_batch(connection, batch_id)
    if batch is None:
        raise PlatformError(f"Batch {batch_id} was deleted before it began")
    return batch


def _collections(connection: Connection, batch: Batch) -> list[Collection]:
    found = [find_collection(connection, batch.namespace_id, identifier) for identifier in batch.collection_ids]
    missing = [identifier for identifier, c in zip(batch.collection_ids, found, strict=True) if c is None]
    if missing:
        raise PlatformError(f"Collections of this batch were deleted: {', '.join(missing)}")
    return [collection for collection in found if collection is not None]
