"""Why a version cannot answer a request right now."""

from __future__ import annotations

import math

from mixpeek.errors import Conflict, PlatformError


class InferenceUnavailable(PlatformError):
    """No replica can take this request right now."""

    status, type, code = 503, "InferenceServiceUnavailableError", "inference.unavailable"
    hint = "Send the request again after `Retry-After`; `…/status` shows the replicas"

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = max(1, math.ceil(retry_after_s))
        super().__init__(message, retry_after_s=self.retry_after_s)


class NotDeployed(Conflict):
    """The plugin is published, but nothing of it is deployed."""

    code = "inference.not_deployed"
    hint = "Deploy it with `mixpeek plugin deploy`, then send the request again"
