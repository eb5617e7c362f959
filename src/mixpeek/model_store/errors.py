"""What can go wrong on the way to a model that a host can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.errors import AlreadyExists, PlatformError, RequestError
from mixpeek.inspection.findings import Finding


class ModelExists(AlreadyExists):
    """This model version exists already; weights under one id never change."""

    code, hint = "models.exists", "Upload it under the next version"


class ModelRejected(RequestError):
    """The model did not pass validation."""

    code, hint = "models.rejected", "Repair every finding listed, then upload the model again"

    def __init__(self, findings: Sequence[Finding], upload_id: str | None = None) -> None:
        self.findings = [finding.wire() for finding in findings]
        first = findings[0]
        place = f"{first.path}: " if first.path else ""
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"Validation failed: {place}{first.message}{more}", validation_errors=self.findings)
        self.envelope: dict[str, Any] = {
            "upload_id": upload_id,
            "validation_status": "failed",
            "validation_errors": self.findings,
        }


class ModelNotFound(RequestError):
    """A model that a plugin declares does not exist."""

    status, type, code = 404, "NotFoundError", "models.not_found"


class HubUnavailable(PlatformError):
    """A model could not be fetched from the hub."""

    status, type, code = 503, "InferenceServiceUnavailableError", "models.hub_unavailable"


class ModelChanged(PlatformError):
    """A model's files are not those a version was deployed with."""

    code = "models.changed"
