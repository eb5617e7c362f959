"""A deployment and its states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The documented states; the first three are still under way."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    DEPLOYED = "DEPLOYED"
    NOT_DEPLOYED = "NOT_DEPLOYED"
    FAILED = "FAILED"


UNDER_WAY = (Status.QUEUED, Status.PENDING, Status.IN_PROGRESS)


class Phase(StrEnum):
    """Where inside a rollout a deployment is, or was when it ended."""

    QUEUED = "queued"
    BUILDING = "building"
    MODELS = "models"
    GATE = "gate"
    START = "start"
    SWITCH = "switch"
    LIVE = "live"
    ENDED = "ended"


class Role(StrEnum):
    """What a live version has to do with the requests that follow its name."""

    STABLE = "stable"
    CANARY = "canary"
    SHADOW = "shadow"


@dataclass(frozen=True)
class Share:
    """A version that a name's requests concern: `traffic` percent of them are answered by it."""

    plugin_id: str
    deployment_id: str
    role: str
    traffic: int
    since: datetime


@dataclass(frozen=True)
class Deployment:
    deployment_id: str
    namespace_id: str
    plugin_id: str
    name: str
    deployment_type: str
    role: str
    traffic: int
    action: str
    status: str
    phase: str
    error: str | None
    failure: dict[str, Any] | None
    message: str | None
    warnings: list[str]
    timeline: list[dict[str, Any]]
    actor: str | None
    task_id: str | None
    queued_at: datetime
    finished_at: datetime | None
