"""What a slice needs to write a durable workflow, and nothing of the engine below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Steps(Protocol):
    """Runs the steps of one workflow; a step that has returned is not run again after a crash."""

    def step(self, name: str, action: Callable[[], Result]) -> Result: ...


@dataclass(frozen=True)
class Workflow:
    """A named workflow: `run(steps, inputs)` carries out a task; a queue bounds how many run at once."""

    name: str
    run: Callable[[Steps, str, dict[str, Any]], None]
    concurrency: int | None = None
