"""Hosts that are no processes: the smallest stand-in at the execution port, for what would take real ones too long.

They answer as their version's manifest says, or badly where a version was made to; starting one fails when told to.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mixpeek.errors import MixpeekError, PluginCrashed, PluginRaised
from mixpeek.execution.grants import Grants
from mixpeek.execution.port import Awaiting, Description, HostSpec, Step


@dataclass(frozen=True)
class StagedPlugin:
    """What hosts of one code hash say: their manifest, and a vector of some length; or that they cannot be asked."""

    manifest: dict[str, Any]
    numbers: int = 2
    raises: bool = False


class StagedHost:
    """One host of a staged plugin."""

    _pids = itertools.count(1)
    told = None

    def __init__(self, plugin: StagedPlugin, name: str) -> None:
        self.pid = next(self._pids)
        self.alive = True
        self._plugin = plugin
        self._name = name

    @property
    def ended(self) -> str | None:
        return None if self.alive else "The plugin's host was killed by SIGKILL"

    def stderr_tail(self) -> str:
        return ""

    async def describe(self, part: str | None = None, *, timeout_s: float = 1) -> Description:
        return Description(self._plugin.manifest, "predict", "3.11")

    async def build(self, parameters: Any = None, **_: Any) -> tuple[Step, ...]:
        return (Step(0, "Processor", "cpu", "always", enabled=True),)

    async def warmup(self, *, batch_size: int = 1, timeout_s: float = 1) -> int:
        return 1

    async def predict(self, inputs: Any, parameters: Any = None, *, timeout_s: float = 1) -> Any:
        if self._plugin.raises:
            raise PluginRaised("ValueError: never", exception="mixpeek.ModelUnavailable")
        return {"embedding": [1.0] * self._plugin.numbers}

    async def run(self, table: pa.Table, steps: Any = None, **_: Any) -> pa.Table:
        vectors = [[1.0] * self._plugin.numbers] * len(table)
        return table.append_column("vector", pa.array(vectors, pa.list_(pa.float32(), self._plugin.numbers)))

    def post(self, body: bytes, answer: Awaiting, *, alone: bool = False, timeout_s: float = 1) -> None:
        result = json.dumps({"by": self._name}).encode()
        asyncio.get_running_loop().call_soon(answer.set_result, (1, result))

    async def close(self) -> None:
        self.alive = False


@dataclass
class StagedExecution:
    """Starts hosts of staged plugins, known by the last part of their folder, each in `start_s`.

    The next `faults` starts fail, and the next ones after them with the errors in `losses`, which tell of machines.
    """

    plugins: dict[str, StagedPlugin]
    faults: int = 0
    losses: list[MixpeekError] = field(default_factory=list)
    start_s: float = 0.0
    most_at_once: int = 0
    _starting: int = 0
    grants: Grants = field(default_factory=Grants)

    async def start(self, spec: HostSpec, *, timeout_s: float = 1) -> StagedHost:
        self._starting += 1
        self.most_at_once = max(self.most_at_once, self._starting)
        await asyncio.sleep(self.start_s)
        self._starting -= 1
        if self.faults:
            self.faults -= 1
            raise PluginCrashed("The plugin's host ended as it started")
        if self.losses:
            raise self.losses.pop(0)
        return StagedHost(self.plugins[spec.plugin_dir.name], spec.plugin_dir.name)

    async def close(self) -> None:
        """Nothing runs."""
