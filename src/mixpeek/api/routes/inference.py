"""Declares the inference route for the OpenAPI and for whoever asks which permission it takes.

It is answered by `api.inference`, before any request gets here: validating in layers would cost most of its speed.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek.api.access import HeaderNamespace, PathNamespace
from mixpeek.api.answers import answers
from mixpeek.api.schemas.inference import AskInference, InferenceAnswer

router = APIRouter(tags=["inference"])


@router.post("/v1/inference", **answers(InferenceAnswer, 409, 500, operation_id="ask_inference"))
async def ask_inference(namespace: HeaderNamespace, body: AskInference) -> dict[str, Any]:
    """Ask a deployed plugin once; the key needs to read only, as nothing changes.

    Headers tell the version and code that answered: `X-Plugin-Version`, `X-Code-Hash`. A request that cannot be taken
    now is answered 503 with `Retry-After`. One whose replica ended before it answered has been sent to another.
    """
    raise AssertionError("answered by api.inference")


@router.post(
    "/v1/namespaces/{namespace_id}/inference",
    **answers(InferenceAnswer, 409, 500, operation_id="ask_namespace_inference"),
)
async def ask_namespace_inference(namespace: PathNamespace, body: AskInference) -> dict[str, Any]:
    """Ask a deployed plugin of the namespace in the path; otherwise as `POST /v1/inference`."""
    raise AssertionError("answered by api.inference")
