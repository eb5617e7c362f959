"""What a route declares about its answers, in one call in its decorator; `api.openapi` adds what all routes share."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

BINARY = {"schema": {"type": "string", "format": "binary"}}


def answers(
    model: Any,
    *refusals: int,
    status: int = 200,
    checked: bool = False,
    operation_id: str | None = None,
    also: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return keyword arguments of a route decorator.

    Args:
        model: the body of the answer; None for one that has none.
        refusals: statuses of errors beyond those that follow from the route's parameters and permission.
        checked: compare every answer with the model before it is sent. For small answers of fixed shape; a large or
            open one is only documented, and written as the route returns it.
        operation_id: where the function's name is not unique or does not say enough.
        also: further content types of the answer.
    """
    success: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model is not None and not checked:
        success["model"] = model
    if also:
        success["content"] = also
    declared: dict[int, Any] = {status: success, **{refusal: {} for refusal in refusals}}
    # A route without a body of its own must not be given the type its function returns.
    body = {"response_model": model} if checked or model is None else {}
    return {"status_code": status, "responses": declared, "operation_id": operation_id, **body}
