"""What an error answer must look like, whichever route gives it."""

from __future__ import annotations

from typing import Any

import httpx


def refusal(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Return the `error` of an answer, once it is known to be the documented envelope with a request id."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["success"], body["status"]) == (False, status)
    error: dict[str, Any] = body["error"]
    assert error["type"] == kind, error
    assert error["message"]
    assert answer.headers["X-Request-Id"] == error["details"]["request_id"]
    return error
