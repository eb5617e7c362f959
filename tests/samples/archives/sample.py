"""What a sample is: a way to build an archive, and the rules it is refused under (none if it is fine)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mixpeek.inspection.limits import LIMITS, ArchiveLimits


@dataclass(frozen=True)
class Sample:
    """One archive; `is_large` keeps it out of what multiplies its cost, such as fuzzing."""

    name: str
    build: Callable[[], bytes]
    rules: frozenset[str]
    limits: ArchiveLimits = LIMITS
    is_large: bool = False


class Samples:
    """Samples in the making: `add` is used as a decorator of the function that builds the archive."""

    def __init__(self) -> None:
        self.all: list[Sample] = []

    def add(self, *rules: str, **more: Any) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
        """Register the decorated function under its name, with the last words of the rules it breaks."""

        def register(build: Callable[[], bytes]) -> Callable[[], bytes]:
            name = build.__name__
            assert all(sample.name != name for sample in self.all), name
            self.all.append(Sample(name, build, frozenset(f"archive.{rule}" for rule in rules), **more))
            return build

        return register
