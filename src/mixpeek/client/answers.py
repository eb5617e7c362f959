"""What an answer means: a JSON object, or the error that its envelope carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from mixpeek.client.addresses import origin
from mixpeek.client.errors import ApiError
from mixpeek.client.response import Response, response_from

# What an error that a stream ended with would have had as its status.
_STATUSES = {
    "BadRequestError": 400, "ForbiddenError": 403, "NotFoundError": 404, "ConflictError": 409, "ValidationError": 422,
    "InferenceServiceUnavailableError": 503,
}  # fmt: skip


def object_from(answer: httpx.Response) -> Response:
    """Return the JSON object of a successful answer; raise ApiError for anything else, such as a page of a proxy."""
    if answer.status_code == httpx.codes.NO_CONTENT:
        return Response()
    try:
        return response_from(answer.content)
    except ValueError as error:
        raise ApiError(
            f"{origin(str(answer.url))} did not answer with a JSON object",
            status=answer.status_code,
            type="UnusableAnswer",
            hint="Check that `--base-url` or MIXPEEK_BASE_URL names a Mixpeek server",
        ) from error


def error_from(answer: httpx.Response) -> ApiError:
    """Return the error that a refusal carries; its content must have been read."""
    try:
        body = response_from(answer.content)
    except ValueError:
        body = Response()
    reported = body.get("error")
    error: Mapping[str, Any] = reported if isinstance(reported, dict) else {}
    details = error.get("details")
    details = dict(details) if isinstance(details, dict) else {}
    # A refused upload lists its findings at the root of the answer as well.
    if "validation_errors" in body:
        details.setdefault("validation_errors", body["validation_errors"])
    request_id = answer.headers.get("X-Request-Id") or details.get("request_id")
    return ApiError(
        str(error.get("message") or f"{origin(str(answer.url))} answered {answer.status_code}"),
        status=answer.status_code,
        type=str(error.get("type") or "UnknownError"),
        code=str(error.get("code") or "api.refused"),
        hint=error.get("hint") or _hint_for(answer.status_code),
        request_id=request_id,
        details=details,
    )


def error_told(error: Mapping[str, Any]) -> ApiError:
    """Return the error that a stream ended with."""
    details = error.get("details")
    return ApiError(
        str(error.get("message")),
        status=_STATUSES.get(str(error.get("type")), 500),
        type=str(error.get("type")),
        code=str(error.get("code")),
        hint=error.get("hint"),
        details=dict(details) if isinstance(details, dict) else {},
    )


def _hint_for(status: int) -> str | None:
    return {
        401: "Set MIXPEEK_API_KEY or pass `--api-key` with a key of this server",
        404: "Check the id, and that `--base-url` names the server that has it",
        429: "Wait a little, then try again",
    }.get(status)
