"""Large answers as JSON, written once from plain rows instead of being validated again on the way out."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic_core import to_json


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    """Return `body` as JSON; times become ISO-8601 UTC."""
    return Response(to_json(body), status, media_type="application/json")
