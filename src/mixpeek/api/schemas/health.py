"""Answers about the server itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class Replicas(Answer):
    """Plugin hosts of this process."""

    deployed: int
    on_demand: int


class HealthData(Answer):
    """What runs behind the server."""

    database: bool
    worker: bool = Field(description="Whether a worker is alive; without one, tasks wait.")
    sandbox: Literal["bubblewrap", "off", "unavailable"]
    replicas: Replicas


class HealthMeta(Answer):
    """What the server is."""

    version: str


class ServerHealth(Answer):
    """The server can serve requests."""

    status: Literal["OK"]
    data: HealthData
    errors: list[str] = Field(description="What an operator should know, such as a sandbox that is off.")
    meta: HealthMeta


class ServerLiveness(Answer):
    """The process runs."""

    status: Literal["OK"]
