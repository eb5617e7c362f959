"""What a plugin needs beyond a processor: a network, a GPU. Decided for its host as a whole, as all its steps share it.

A host has what the manifest's compute_profile or any enabled step of its built pipeline names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mixpeek.contract.pipeline import ResourceType
from mixpeek.execution.port import DESCRIBE_TIMEOUT_S, START_TIMEOUT_S, Host, HostSpec, Step

AnyHost = TypeVar("AnyHost", bound=Host)
AnyHost_co = TypeVar("AnyHost_co", bound=Host, covariant=True)


class StartsHosts(Protocol[AnyHost_co]):
    """An `Execution` whose hosts are of a known class."""

    async def start(self, spec: HostSpec, *, timeout_s: float = START_TIMEOUT_S) -> AnyHost_co:
        """Start a host and return it once it answers."""


def with_needs(spec: HostSpec, resource_type: str, steps: Iterable[Step] = ()) -> HostSpec:
    """Return a spec that also has what a compute_profile's resource type and a pipeline's enabled steps name."""
    named = {resource_type, *(step.resource_type for step in steps if step.enabled)}
    network, gpu = spec.network or ResourceType.API in named, spec.gpu or ResourceType.GPU in named
    return dataclasses.replace(spec, network=network, gpu=gpu)


@dataclass(frozen=True)
class Started(Generic[AnyHost]):
    """A host with its pipeline built, and the spec it was started with in the end."""

    host: AnyHost
    steps: tuple[Step, ...]
    spec: HostSpec


async def start_built(
    execution: StartsHosts[AnyHost],
    spec: HostSpec,
    parameters: Mapping[str, Any] | None = None,
    *,
    version: str | None = None,
    timeout_s: float = START_TIMEOUT_S,
    build_timeout_s: float = DESCRIBE_TIMEOUT_S,
) -> Started[AnyHost]:
    """Start a host and build its pipeline; start it again, with more, if a step needs what the spec does not give.

    Raises: what `Execution.start` and `Host.build` do.
    """
    while True:
        host = await execution.start(spec, timeout_s=timeout_s)
        try:
            steps = await host.build(parameters, version=version, timeout_s=build_timeout_s)
        except BaseException:
            await host.close()
            raise
        needed = with_needs(spec, ResourceType.CPU, steps)
        if needed == spec:
            return Started(host, steps, spec)
        await host.close()
        spec = needed
