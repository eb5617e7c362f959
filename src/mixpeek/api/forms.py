"""How a multipart form is described in the OpenAPI; its route reads it itself, to say in words what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def form_body(required: list[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a route is given as `openapi_extra` to take such a form, with these fields and no others."""
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": dict(properties),
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
