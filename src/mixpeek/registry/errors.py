"""What can go wrong on the way to a published version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixpeek.errors import AlreadyExists, RequestError
from mixpeek.inspection.findings import Finding


class VersionExists(AlreadyExists):
    """This version is already published; published versions never change."""

    code, hint = "registry.version_exists", "Raise `version` in manifest.py, then publish again"


class UploadMissing(RequestError):
    """Nothing was uploaded to the presigned URL yet."""

    status, type, code = 404, "NotFoundError", "registry.upload_missing"
    hint = "PUT the archive to `presigned_url`, then confirm again"


class UploadExpired(RequestError):
    """The upload has expired."""

    code, hint = "registry.upload_expired", "Request a new upload and PUT the archive again"


class UploadMismatch(RequestError):
    """What was uploaded is not what the client says it sent."""

    code, hint = "registry.upload_mismatch", "PUT the archive again; the transfer may have been cut short"


class PluginRejected(RequestError):
    """The plugin did not pass validation."""

    code, hint = "registry.plugin_rejected", "Repair every finding listed, then publish again"

    def __init__(self, findings: Sequence[Finding], upload_id: str | None = None) -> None:
        self.findings = [finding.wire() for finding in findings]
        errors = [finding for finding in findings if finding.severity == "error"]
        first = errors[0]
        place = f"{first.path}:{first.line}: " if first.path and first.line else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"Validation failed: {place}{first.message}{more}", validation_errors=self.findings)
        self.envelope: dict[str, Any] = {
            "upload_id": upload_id,
            "validation_status": "failed",
            "validation_errors": self.findings,
        }
