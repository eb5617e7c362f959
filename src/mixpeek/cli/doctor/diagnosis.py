"""What one look found: how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at; `hint` says what to do, "" where there is nothing to do."""

    name: str
    status: Literal["passed", "warned", "failed", "skipped"]
    detail: str
    hint: str = ""

    def wire(self) -> dict[str, Any]:
        """Return it as JSON mode prints it."""
        return asdict(self)
