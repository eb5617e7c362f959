"""The rollout workflow: gate a version in a host of its own, have green hosts started, then switch.

Runs in the worker; the hosts that will answer belong to the API processes, which report when theirs are ready.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from mixpeek.db.pool import Connection, Database
from mixpeek.deployments import queries, sharing
from mixpeek.deployments.failure import describe_failure, failure_from
from mixpeek.deployments.hosting import list_models
from mixpeek.deployments.models import UNDER_WAY, Deployment, Phase, Role, Status
from mixpeek.deployments.serve_plan import plan_from_manifest, start_limit_s
from mixpeek.deployments.service import ROLL_OUT
from mixpeek.deployments.trial import Trial
from mixpeek.errors import Conflict, MixpeekError, NotFound, PlatformError, PluginError
from mixpeek.execution.blocking import BlockingExecution
from mixpeek.registry import queries as registry_queries
from mixpeek.registry.environments import prepare_environment
from mixpeek.registry.models import PluginVersion
from mixpeek.registry.service import Registry
from mixpeek.workflows import tasks
from mixpeek.workflows.port import Steps, Workflow

log = logging.getLogger(__name__)

# Most hosts are ready soon; who starts for minutes is not asked about twenty times a second.
START_POLL_S, LATER_POLL_S, SOON_S = 0.05, 0.25, 1.0


class Rollout:
    """Carries deployments from QUEUED to DEPLOYED or FAILED."""

    def __init__(self, database: Database, registry: Registry, execution: BlockingExecution) -> None:
        self._database = database
        self._registry = registry
        self._trial = Trial(database, registry, execution)

    def workflow(self) -> Workflow:
        return Workflow(ROLL_OUT, self.run)

    def run(self, steps: Steps, task_id: str, inputs: dict[str, Any]) -> None:
        """Roll out one deployment; a failure is recorded and changes nothing else."""
        deployment_id = inputs["deployment_id"]
        try:
            self._carry_out(steps, task_id, deployment_id)
        except Exception as error:
            # The edge of a workflow: whatever it was, the deployment must not stay under way for ever.
            if not isinstance(error, MixpeekError):
                log.exception("the rollout of deployment %s failed", deployment_id)
            text, failure = describe_failure(error), failure_from(error)
            # Not a step: after a crash the workflow may fail at another place than it did before.
            steps.repeatable("fail", lambda: self._fail(deployment_id, text, failure, task_id))

    def _carry_out(self, steps: Steps, task_id: str, deployment_id: str) -> None:
        deployment, version = steps.repeatable("load", lambda: self._load(deployment_id))
        steps.step("build", lambda: self._build_environment(deployment, version))
        if version.parsed_manifest.models:
            steps.step("models", lambda: self._fetch_models(deployment, version))
        warnings = steps.step("gate", lambda: self._gate(deployment, version))
        if deployment.deployment_type == "batch_only":
            steps.step("activate", lambda: self._activate(deployment, version, warnings, task_id))
            return
        steps.step("start", lambda: self._start_green(deployment, version))
        steps.step("switch", lambda: self._switch(deployment, version, warnings, task_id))

    def _load(self, deployment_id: str) -> tuple[Deployment, PluginVersion]:
        with self._database.transaction() as connection:
            deployment = queries.find_deployment(connection, deployment_id)
            if deployment is None:
                raise PlatformError(f"Deployment {deployment_id} was deleted before it began")
            return deployment, self._registry.get(connection, deployment.namespace_id, deployment.plugin_id)

    def _build_environment(self, deployment: Deployment, version: PluginVersion) -> None:
        with self._database.transaction() as connection:
            queries.enter_phase(connection, deployment.deployment_id, Status.PENDING, Phase.BUILDING)
        prepared = prepare_environment(self._registry, version)
        self._note(deployment, prepared.summary)

    def _fetch_models(self, deployment: Deployment, version: PluginVersion) -> None:
        with self._database.transaction() as connection:
            queries.enter_phase(connection, deployment.deployment_id, Status.IN_PROGRESS, Phase.MODELS)
        list_models(self._registry, version)

    def _gate(self, deployment: Deployment, version: PluginVersion) -> list[str]:
        with self._database.transaction() as connection:
            queries.enter_phase(connection, deployment.deployment_id, Status.IN_PROGRESS, Phase.GATE)
        return self._trial.run(
            version,
            batch_only=deployment.deployment_type == "batch_only",
            deployment_id=deployment.deployment_id,
            note=lambda detail: self._note(deployment, detail),
        )

    def _note(self, deployment: Deployment, detail: str) -> None:
        with self._database.transaction() as connection:
            queries.note(connection, deployment.deployment_id, detail)

    def _start_green(self, deployment: Deployment, version: PluginVersion) -> None:
        with self._database.transaction() as connection:
            queries.enter_phase(connection, deployment.deployment_id, Status.IN_PROGRESS, Phase.START)
        plan = plan_from_manifest(version.parsed_manifest, idle_s=0)
        limit_s = start_limit_s(plan)
        began = time.monotonic()
        while True:
            with self._database.transaction() as connection:
                states = queries.list_replica_states(connection, deployment.deployment_id)
            failed = [state for state in states if state["state"] == "FAILED"]
            if failed:
                raise _green_failed(failed[0]["failure"])
            if states and all(state["state"] == "READY" for state in states):
                other = [state["code_hash"] for state in states if state["code_hash"] != version.code_hash]
                if other:
                    raise PlatformError(f"A green host runs code {other[0]}, not {version.code_hash}")
                return
            waited_s = time.monotonic() - began
            if waited_s > limit_s:
                raise PlatformError(
                    f"No API process had a green host ready, or said why not, within {limit_s:.0f} s; starting and"
                    f" warming up may take {plan.start_timeout_s:g} s each",
                    hint="See in the server's log whether its API process runs, then deploy again",
                )
            time.sleep(START_POLL_S if waited_s < SOON_S else LATER_POLL_S)

    def _activate(self, deployment: Deployment, version: PluginVersion, warnings: list[str], task_id: str) -> None:
        with self._database.transaction() as connection:
            registry_queries.lock_name(connection, deployment.namespace_id, deployment.name)
            if not queries.finish(
                connection, deployment.deployment_id, Status.NOT_DEPLOYED, Phase.ENDED, warnings=warnings
            ):
                return  # this step had ended when a crash came before its record
            _refuse_if_overtaken(deployment, queries.find_wish_of_active(connection, *_name_of(deployment)))
            registry_queries.set_active(
                connection, deployment.namespace_id, deployment.name, deployment.plugin_id, replace=True
            )
            self._record(connection, deployment, "activated", {"code_hash": version.code_hash})
            tasks.update_task(connection, task_id, "COMPLETED", outputs={"plugin_id": deployment.plugin_id})

    def _switch(self, deployment: Deployment, version: PluginVersion, warnings: list[str], task_id: str) -> None:
        with self._database.transaction() as connection:
            if not _is_under_way(connection, deployment.deployment_id):
                return  # this step had ended when a crash came before its record; what was done since stays
            queries.enter_phase(connection, deployment.deployment_id, Status.IN_PROGRESS, Phase.SWITCH)
        with self._database.transaction() as connection:
            registry_queries.lock_name(connection, *_name_of(deployment))
            # Another worker may carry out the same step: only under the lock is it known which of the two is late.
            if not _is_under_way(connection, deployment.deployment_id):
                return
            _refuse_if_overtaken(deployment, queries.find_wish_of_live(connection, *_name_of(deployment)))
            if deployment.role == Role.STABLE:
                active = queries.find_wish_of_active(connection, *_name_of(deployment))
                superseded = sharing.take_over(
                    connection,
                    *_name_of(deployment),
                    deployment.plugin_id,
                    deployment.deployment_id,
                    # A later wish for batches only said nothing of requests: it keeps the batches.
                    activate=not _is_later(active, deployment),
                )
                outcome, details = "deployed", dict[str, Any](superseded=superseded)
            else:
                warnings = warnings + sharing.step_beside(connection, deployment, version)
                # Not "deployed": a rollback looks for the versions that had all requests.
                outcome, details = deployment.role, dict[str, Any](traffic=deployment.traffic)
            queries.finish(connection, deployment.deployment_id, Status.DEPLOYED, Phase.LIVE, warnings=warnings)
            self._record(connection, deployment, outcome, {"code_hash": version.code_hash, **details})
            tasks.update_task(connection, task_id, "COMPLETED", outputs={"plugin_id": deployment.plugin_id})

    def _fail(self, deployment_id: str, text: str, failure: dict[str, Any], task_id: str) -> None:
        with self._database.transaction() as connection:
            current = queries.find_deployment(connection, deployment_id)
            if current is not None and current.status in UNDER_WAY:
                phase = Phase(current.phase)
                queries.finish(connection, deployment_id, Status.FAILED, phase, error=text, failure=failure)
                self._record(connection, current, "failed", {"phase": phase, "error": text})
            tasks.update_task(connection, task_id, "FAILED", error=text)

    @staticmethod
    def _record(connection: Connection, deployment: Deployment, outcome: str, details: dict[str, Any]) -> None:
        registry_queries.append_ledger(
            connection,
            deployment.namespace_id,
            deployment.name,
            deployment.plugin_id,
            deployment.action,
            outcome,
            actor=deployment.actor,
            message=deployment.message,
            details={"deployment_id": deployment.deployment_id, **details},
        )


def _is_under_way(connection: Connection, deployment_id: str) -> bool:
    """Tell whether a rollout still has to end; raise NotFound if its namespace was deleted meanwhile."""
    current = queries.find_deployment(connection, deployment_id)
    if current is None:
        raise NotFound("deployment", deployment_id)
    return current.status in UNDER_WAY


def _refuse_if_overtaken(deployment: Deployment, other: Deployment | None) -> None:
    """Raise Conflict if what holds now was asked for later than this: the last wish counts, not the slowest."""
    if other is not None and _is_later(other, deployment):
        answers = "answers" if other.status == Status.DEPLOYED else "is active"
        raise Conflict(
            f"{other.plugin_id} was deployed after this and {answers} already",
            hint="Deploy again if this is still wanted",
        )


def _is_later(other: Deployment | None, deployment: Deployment) -> bool:
    return other is not None and other.queued_at > deployment.queued_at


def _name_of(deployment: Deployment) -> tuple[str, str]:
    return deployment.namespace_id, deployment.name


def _green_failed(failure: dict[str, Any] | None) -> PluginError:
    """Return the error of a rollout whose green host reported this."""
    known = failure or {"code": PluginError.code, "message": "it did not say why", "hint": None, "frames": []}
    return PluginError(
        f"A green host did not start: {known['message']}",
        hint=known["hint"],
        frames=known["frames"],
        cause_code=known["code"],
    )
