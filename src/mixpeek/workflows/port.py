"""What a slice needs to write a durable workflow, and nothing of the engine below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Steps(Protocol):
    """Runs the steps of one workflow; both wait for a database that is away and then run the action again."""

    def step(self, name: str, action: Callable[[], Result]) -> Result:
        """Run an action that is recorded: once it has returned or raised, it is not run again after a crash."""

    def repeatable(self, name: str, action: Callable[[], Result]) -> Result:
        """Run an action that is not recorded, and so runs again with its workflow: to read, or to say how it ended."""


@dataclass(frozen=True)
class Workflow:
    """A named workflow: `run(steps, inputs)` carries out a task; a queue bounds how many run at once in one worker.

    With `per_namespace`, no namespace runs more of them than that, and namespaces take turns at what is free. Each
    queue is looked at every `poll_s`: soon where somebody waits, seldom where not, as an idle worker does little else.
    """

    name: str
    run: Callable[[Steps, str, dict[str, Any]], None]
    concurrency: int | None = None
    per_namespace: int | None = None
    poll_s: float = 0.4
