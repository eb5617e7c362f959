"""The end of what a host printed, and its way into the log; wherever the bytes come from."""

from __future__ import annotations

from typing import Protocol

from mixpeek.execution.asks.veil import Veil
from mixpeek.execution.output import readable


class Hears(Protocol):
    """Whoever takes what a host prints, as it comes; its log is one."""

    def receive(self, data: bytes) -> None:
        """Take what was printed."""


class Printed:
    """Keeps the last `keep_bytes` of what is printed, on either stream."""

    def __init__(self, keep_bytes: int, log: Hears | None = None, veil: Veil | None = None) -> None:
        self._kept = bytearray()
        self._keep_bytes = keep_bytes
        self._log = log
        self._veil = veil or Veil()

    def receive(self, data: bytes) -> None:
        """Take what was printed."""
        self._kept += data
        if len(self._kept) > 2 * self._keep_bytes:
            del self._kept[: -self._keep_bytes]
        if self._log is not None:
            self._log.receive(data)

    def tail(self) -> str:
        """Return the last of it, readable."""
        # Covered as a whole: a cut could leave the end of a secret.
        return readable(self._veil.cover_bytes(bytes(self._kept))[-self._keep_bytes :])
