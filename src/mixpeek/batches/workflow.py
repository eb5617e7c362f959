"""The batch workflow, tier by tier: plan the chunks, run those still open, reconcile what is stored with the ledger.

A tier begins when the one before it has been reconciled, so it reads documents that are complete.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from mixpeek.batches import chunk_queries, mirror_queries, outcome_queries, progress_queries, queries, tier_queries
from mixpeek.batches.halting import Halted
from mixpeek.batches.job import Job, recipe_of
from mixpeek.batches.models import Batch, Tier
from mixpeek.batches.outages import Outages
from mixpeek.batches.planning import covered_from
from mixpeek.batches.runner import ChunkRunner
from mixpeek.batches.service import RUN_BATCH
from mixpeek.batches.sources import Planner, Target
from mixpeek.batches.verdict import judge, judge_batch
from mixpeek.batches.versions import follows_active, is_fix_of
from mixpeek.collections.generations import end_build, next_version, open_generation, switch_generation
from mixpeek.collections.models import Collection
from mixpeek.collections.queries import drop_building, find_collection, find_generation
from mixpeek.collections.upgrade_queries import list_written, note_behind
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

# Batches of one namespace that a worker runs side by side; those of others wait for none of them.
BATCHES_OF_NAMESPACE = 2
# Chunks that are open after a run were committed by a primary that is gone, and never reached the one that took over.
MOST_ROUNDS = 5


class BatchWorkflow:
    """Carries a batch from PENDING to its end."""

    def __init__(self, database: Database, registry: Registry, runner: ChunkRunner, chunk_rows: int) -> None:
        self._database = database
        self._registry = registry
        self._runner = runner
        self._chunk_rows = chunk_rows

    def workflow(self, at_once: int) -> Workflow:
        """Return the workflow, of which a worker runs so many at once."""
        return Workflow(RUN_BATCH, self.run, at_once, min(BATCHES_OF_NAMESPACE, at_once))

    def run(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        """Run one batch; a crash resumes at the first chunk that is not committed."""
        batch_id = inputs["batch_id"]

        def step(name: str, action: Callable[[], Result]) -> Result:
            return steps.step(name, lambda: self._outlasting(batch_id, action))

        try:
            for tier in steps.repeatable("tiers", lambda: self._tiers(batch_id)):
                place = "" if tier.is_first else f" tier {tier.tier_num}"
                step(f"plan{place}", partial(self._plan, tier, task_id))
                if tier.is_first:
                    step("build", lambda: self._build_environments(batch_id, task_id))
                steps.step(f"run{place}", partial(self._run, tier, task_id))
                if not step(f"reconcile{place}", partial(self._reconcile, tier, task_id)):
                    break
        except Halted:
            # Whoever cancelled it has said so, and nothing was stored since.
            log.info("batch %s was cancelled", batch_id)
        except Exception as error:
            # The edge of a workflow: whatever it was, the batch must not stay under way for ever.
            if not isinstance(error, MixpeekError):
                log.exception("batch %s failed", batch_id)
            message = describe_failure(error)
            step("fail", lambda: self._fail(batch_id, task_id, message))

    def _outlasting(self, batch_id: str, action: Callable[[], Result]) -> Result:
        return Outages(self._database, batch_id, time.sleep).outlast(action)

    def _tiers(self, batch_id: str) -> list[Tier]:
        with self._database.transaction() as connection:
            return tier_queries.list_tiers(connection, batch_id)

    def _plan(self, tier: Tier, task_id: str) -> None:
        with self._database.transaction() as connection:
            batch = _get(connection, tier.batch_id)
            found = _collections(connection, batch, tier.collection_ids)
            whole = _whole(connection, batch)
        following = {c.collection_id: next_version(self._registry, c) for c in found if c.collection_id in whole}
        planner = Planner(self._runner.documents, self._runner.count_hosts(), self._chunk_rows)
        with self._database.transaction() as connection:
            # Also on a retry, whose first tiers may have been planned long ago.
            if not queries.begin_batch(connection, tier.batch_id, task_id):
                raise Halted
            if tier_queries.is_planned(connection, tier):
                return
            targets = []
            for collection in found:
                version = following.get(collection.collection_id)
                generation = open_generation(connection, collection, version) if version else batch.fills
                targets.append(Target(collection, generation or collection.live_generation))
            if tier.is_first and any(target.generation != target.collection.live_generation for target in targets):
                # What came since the batch was asked for went to the live generation alone.
                mirror_queries.renew_snapshot(connection, tier.batch_id)
                batch = _get(connection, tier.batch_id)
            planner.plan(connection, batch, tier, targets)
            if batch.fills is None:
                _drop_empty(connection, batch, targets)
            progress_queries.recount(connection, tier.batch_id)
            told = {"progress": progress_queries.totals(connection, tier.batch_id), "tier": tier.tier_num}
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress=told)

    def _build_environments(self, batch_id: str, task_id: str) -> None:
        """Have the packages of every extractor in place; for one deployed for batches only, this is the first time."""
        with self._database.transaction() as connection:
            batch = _get(connection, batch_id)
            found = _collections(connection, batch, batch.collection_ids)
            whole = _whole(connection, batch)
            has = {c.collection_id: self._version_of(connection, c, batch.fills or c.live_generation) for c in found}
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"phase": "building"})
        # Those of later tiers too: what cannot be had is found out before anything is run.
        follows = {c.collection_id: next_version(self._registry, c) for c in found if c.collection_id in whole}
        versions = [follows.get(identifier) or version for identifier, version in has.items()]
        told = {version.plugin_id: prepare_environment(self._registry, version).summary for version in versions}
        with self._database.transaction() as connection:
            tasks.update_task(connection, task_id, "IN_PROGRESS", progress={"phase": "running", "environments": told})

    def _run(self, tier: Tier, task_id: str) -> None:
        batch_id = tier.batch_id
        with self._database.transaction() as connection:
            batch = _get(connection, batch_id)
            found = _collections(connection, batch, tier.collection_ids)
            for collection in found:
                mirror_queries.follow_live(connection, batch_id, collection.collection_id)
        for collection in found:
            self._run_chunks(batch, collection, task_id)
        if batch.fills is None:
            for collection in found:
                self._mirror(batch, collection, task_id)

    def _run_chunks(self, batch: Batch, collection: Collection, task_id: str) -> None:
        """Run what is open of a collection, and again what was stored and undone since, as a failover may do."""
        for _ in range(MOST_ROUNDS):
            chunks = self._outlasting(batch.batch_id, partial(self._open_chunks, batch, collection))
            if not chunks:
                return
            job = self._outlasting(batch.batch_id, partial(self._job, collection, chunks[0], task_id, batch))
            self._runner.run(job, chunks)

    def _open_chunks(self, batch: Batch, collection: Collection) -> list[int]:
        with self._database.transaction() as connection:
            return chunk_queries.list_open_chunks(connection, batch.batch_id, collection.collection_id)

    def _mirror(self, batch: Batch, collection: Collection, task_id: str) -> None:
        """Repeat what a batch wrote of a collection in each of its other generations that is written to.

        They are asked for once all is written: one opened later is built from what is stored by then.
        """
        identifier = collection.collection_id
        with self._database.transaction() as connection:
            written = list_written(connection, identifier)
            filled = mirror_queries.list_filled(connection, batch.batch_id, identifier)
            others = [generation for generation in written if filled and generation not in filled]
            mirrors = {g: mirror_queries.open_mirror(connection, batch, task_id, identifier, g) for g in others}
        for generation, mirror_id in mirrors.items():
            if mirror_id is None:
                continue
            error = None
            try:
                self._run_mirror(mirror_id, collection, task_id)
            except Halted:
                raise
            except MixpeekError as fault:
                error = f"batch {batch.batch_id} is not in generation {generation}: {describe_failure(fault)}"
            with self._database.transaction() as connection:
                mirror_queries.end_mirror(connection, mirror_id, error)
                if error is not None:
                    if generation == _get_collection(connection, batch, identifier).live_generation:
                        raise PlatformError(error)
                    note_behind(connection, identifier, error)

    def _run_mirror(self, mirror_id: str, collection: Collection, task_id: str) -> None:
        with self._database.transaction() as connection:
            mirror = _get(connection, mirror_id)
        self._run_chunks(mirror, collection, task_id)

    def _job(self, collection: Collection, chunk: int, task_id: str, batch: Batch) -> Job:
        with self._database.transaction() as connection:
            generation = chunk_queries.get_chunk(connection, batch.batch_id, collection.collection_id, chunk).generation
            made_by = self._version_of(connection, collection, generation)
            state = (find_generation(connection, collection.collection_id, generation) or {}).get("state")
        version = self._fix_of(collection, made_by)
        extractor = collection.feature_extractor
        manifest = version.parsed_manifest
        # Under the namespace whose objects are read, also where it shares the plugin with others.
        origin = LogOrigin(collection.namespace_id, version.plugin_id, "batch", batch_id=batch.batch_id)
        return Job(
            task_id=task_id,
            batch_id=batch.batch_id,
            recipe=recipe_of(collection, version, batch.created_at.isoformat()),
            index=Index(collection.collection_id, generation),
            manifest=manifest,
            parameters=extractor["parameters"],
            spec=replace(host_spec(self._registry, version, origin), idle=True),
            yields=batch.mirror_of is None and (batch.fills is not None or state == "building"),
        )

    def _fix_of(self, collection: Collection, made_by: PluginVersion) -> PluginVersion:
        """Return the version that a generation is filled by: the active fix of its own, where none is pinned."""
        extractor = collection.feature_extractor
        if collection.is_upgrading or not follows_active(extractor):
            return made_by
        try:
            active = find_extractor(
                self._registry, collection.namespace_id, extractor["feature_extractor_name"], extractor["version"]
            )
        except NotFound:
            return made_by  # it was withdrawn since; what made the collection is kept for it
        return active if is_fix_of(active, made_by) else made_by

    def _version_of(self, connection: Connection, collection: Collection, generation: int) -> PluginVersion:
        found = find_generation(connection, collection.collection_id, generation)
        if found is None:
            raise PlatformError(
                f"Generation {generation} of {collection.collection_id} was dropped; run the batch again"
            )
        return self._registry.get(connection, found["plugin_namespace"], found["plugin_id"])

    def _reconcile(self, tier: Tier, task_id: str) -> bool:
        """End a tier by counting, and the batch with the last or a failed one; tell whether another follows."""
        batch_id, collections = tier.batch_id, tier.collection_ids
        with self._database.transaction() as connection:
            counts = chunk_queries.count_rows(connection, batch_id, collections)
            missing = chunk_queries.count_missing(connection, batch_id, task_id, collections)
            causes = outcome_queries.count_causes(connection, batch_id, collections)
            first = outcome_queries.first_outcome(connection, batch_id, collections)
            message = f"row {first['document_id']}: {first['message']}" if first else None
            verdict = judge(counts["rows"], counts["written"], missing, causes, message)
            self._settle_generations(connection, tier, is_good=verdict.status != "FAILED")
            tier_queries.finish_tier(connection, tier, verdict.status, verdict.error, causes, counts["written"])
            batch = _get(connection, batch_id)
            if verdict.status != "FAILED" and tier.tier_num + 1 < len(batch.tiers):
                return True
            tier_queries.close_tiers(connection, batch_id, None)
            self._finish(connection, batch, task_id)
            return False

    def _settle_generations(self, connection: Connection, tier: Tier, *, is_good: bool) -> None:
        """Have the generations that a tier has built searched from now on, or drop them if it stored nothing."""
        batch = _get(connection, tier.batch_id)
        if batch.fills is not None:
            return  # that of an upgrade: its end is the batch's
        built = tier_queries.list_generations(connection, tier.batch_id)
        for collection in _collections(connection, batch, tier.collection_ids):
            generation = built.get(collection.collection_id, collection.live_generation)
            state = find_generation(connection, collection.collection_id, generation)
            if generation == collection.live_generation or state is None or state["state"] != "building":
                continue
            # Another run may have put a later one in its place meanwhile.
            if not is_good or generation < collection.live_generation:
                drop_building(connection, collection.collection_id, [generation])
                continue
            version = self._version_of(connection, collection, generation)
            vanished = switch_generation(connection, self._runner.documents, collection, generation, version)
            self._runner.documents.remove_made_of(connection, vanished)

    def _finish(self, connection: Connection, batch: Batch, task_id: str) -> None:
        batch_id = batch.batch_id
        verdict = judge_batch([(tier["status"], tier["error"]) for tier in batch.tiers])
        counts = progress_queries.totals(connection, batch_id)
        causes = outcome_queries.count_causes(connection, batch_id)
        if not queries.finish_batch(connection, batch_id, task_id, verdict.status, verdict.error, causes):
            raise Halted
        error = verdict.error or "" if verdict.status == "FAILED" else None
        end_build(connection, self._runner.documents, batch_id, error)
        outputs = {"batch_id": batch_id, "documents_written": counts["written"], **counts, "causes": causes}
        tasks.update_task(
            connection, task_id, verdict.status, outputs=outputs, progress={"progress": counts}, error=verdict.error
        )

    def _fail(self, batch_id: str, task_id: str, message: str) -> None:
        with self._database.transaction() as connection:
            causes = outcome_queries.count_causes(connection, batch_id)
            if not queries.finish_batch(connection, batch_id, task_id, "FAILED", message, causes):
                return
            tier_queries.close_tiers(connection, batch_id, message)
            end_build(connection, self._runner.documents, batch_id, message)
            for collection_id, generation in tier_queries.list_generations(connection, batch_id).items():
                drop_building(connection, collection_id, [generation])
            counts = progress_queries.totals(connection, batch_id)
            outputs = {"batch_id": batch_id, **counts, "causes": causes}
            told = {"progress": counts}
            tasks.update_task(connection, task_id, "FAILED", outputs=outputs, progress=told, error=message)


def _get(connection: Connection, batch_id: str) -> Batch:
    batch = queries.find_batch(connection, batch_id)
    if batch is None:
        raise PlatformError(f"Batch {batch_id} was deleted before it began")
    return batch


def _drop_empty(connection: Connection, batch: Batch, targets: list[Target]) -> None:
    """Drop the generations just opened that have nothing to be built from."""
    built = tier_queries.list_generations(connection, batch.batch_id)
    for target in targets:
        if target.collection.collection_id not in built:
            drop_building(connection, target.collection.collection_id, [target.generation])


def _whole(connection: Connection, batch: Batch) -> set[str]:
    """Return the collections that a batch fills from all that their sources hold, so that it may build them anew."""
    if batch.object_ids is not None or batch.source_filters or batch.fills is not None:
        return set()
    found = {c.collection_id: c for c in _collections(connection, batch, batch.collection_ids)}
    tiers: list[list[str]] = [tier["collection_ids"] for tier in batch.tiers]
    given = {*batch.bucket_ids, *batch.source_collection_ids}
    kind = "bucket_ids" if batch.type == "BUCKET" else "collection_ids"
    start = [one for one in tiers[0] if set(found[one].source[kind]) <= given]
    return covered_from(tiers, {one: c.source.get("collection_ids", []) for one, c in found.items()}, start)


def _get_collection(connection: Connection, batch: Batch, identifier: str) -> Collection:
    return _collections(connection, batch, [identifier])[0]


def _collections(connection: Connection, batch: Batch, collection_ids: list[str]) -> list[Collection]:
    found = [find_collection(connection, batch.namespace_id, identifier) for identifier in collection_ids]
    missing = [identifier for identifier, c in zip(collection_ids, found, strict=True) if c is None]
    if missing:
        raise PlatformError(f"Collections of this batch were deleted: {', '.join(missing)}")
    return [collection for collection in found if collection is not None]
