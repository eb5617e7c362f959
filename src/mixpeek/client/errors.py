"""What can go wrong between the client and a server: it refuses, it cannot be reached, it takes too long."""

from __future__ import annotations

from typing import Any

from mixpeek.errors import MixpeekError


class ApiError(MixpeekError):
    """The server refused the request; carries what its answer says."""

    # The base class fixes these per class; an answer of a server brings its own.
    status: int  # type: ignore[misc]
    type: str  # type: ignore[misc]
    code: str  # type: ignore[misc]

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str = "UnknownError",
        code: str = "api.refused",
        hint: str | None = None,
        request_id: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, **(details or {}))
        self.status, self.type, self.code, self.request_id = status, type, code, request_id

    @property
    def validation_errors(self) -> list[dict[str, Any]]:
        """The findings of a refused plugin or request, one dict each; empty if the server sent none."""
        entries = self.details.get("validation_errors")
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    def wire(self) -> dict[str, Any]:
        return {**super().wire(), "status": self.status, "request_id": self.request_id}


class ServerUnreachable(MixpeekError):
    """No server answered."""

    status, type, code = 503, "ServerUnreachable", "client.unreachable"


class WaitTimedOut(MixpeekError):
    """The work did not end within the time given to wait for it."""

    status, type, code = 504, "TimeoutError", "client.wait_timed_out"
