"""Answers about the server itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mixpeek.api.schemas.base import Answer


class Replicas(Answer):
    """Plugin hosts of this process."""

    deployed: int
    on_demand: int


class Egress(Answer):
    """How plugins that ask for a network (resource type `api`) get one."""

    mode: Literal["proxy", "off", "unrestricted", "unavailable"]
    detail: str


class HealthData(Answer):
    """What runs behind the server."""

    database: bool
    objects: bool = Field(description="Whether the object store answers; without it, what lies in it is answered 503.")
    worker: bool = Field(description="Whether a worker is alive; without one, tasks wait.")
    sandbox: Literal["bubblewrap", "off", "unavailable"]
    sandbox_detail: str = Field(description="What isolates plugins, or why nothing does.")
    egress: Egress
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
