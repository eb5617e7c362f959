"""Server-signed URLs: PUT and GET of one stored object, allowed by the signature alone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from typing import IO

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from mixpeek.api.access import PlatformDep
from mixpeek.api.answers import BINARY, answers
from mixpeek.objects.errors import ObjectTooLarge
from mixpeek.objects.store import COPY_BYTES

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])


@router.put(
    "/{token}",
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}},
    **answers(None, 403, 413),
)
async def put_blob(request: Request, platform: PlatformDep, token: str) -> Response:
    """Store the body under the signed key; the ETag is its sha256."""
    grant = platform.signer.verify(token, "PUT")
    with tempfile.TemporaryFile() as spool:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > grant.limit_bytes:
                raise ObjectTooLarge(f"The upload exceeds its limit of {grant.limit_bytes} bytes")
            spool.write(chunk)
        spool.seek(0)
        stored = await asyncio.to_thread(platform.objects.put, grant.key, _chunks(spool), limit_bytes=grant.limit_bytes)
    return Response(status_code=200, headers={"ETag": f'"{stored.sha256}"'})


@router.get("/{token}", response_class=Response, **answers(None, 403, 404, also={"application/octet-stream": BINARY}))
def get_blob(platform: PlatformDep, token: str) -> Response:
    """Return the bytes under the signed key."""
    grant = platform.signer.verify(token, "GET")
    size_bytes = platform.objects.size(grant.key)
    return StreamingResponse(
        platform.objects.read(grant.key),
        media_type="application/octet-stream",
        headers={"Content-Length": str(size_bytes)},
    )


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(COPY_BYTES):
        yield chunk
