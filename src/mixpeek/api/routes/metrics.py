"""What Prometheus reads: this process's counts, and the platform's from the database."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from mixpeek.api.access import PlatformDep, Scraper
from mixpeek.api.answers import answers
from mixpeek.api.schemas.metrics import MetricsText
from mixpeek.metrics.versions import look

router = APIRouter(tags=["metrics"])

# A thread of its own, as health has: those that requests share may all be waiting.
_THREADS = CapacityLimiter(1)


@router.get("/metrics", response_class=PlainTextResponse, **answers(MetricsText, 404))
async def get_metrics(request: Request, platform: PlatformDep, scraper: Scraper) -> Response:
    """Return the metrics of this API process, and of the platform as the database has it.

    They name namespaces and plugins, so it takes an admin's key, unless MIXPEEK_METRICS says otherwise.
    """
    versions = look(platform.replicas.sets())
    accept = request.headers.get("accept", "")
    body, content_type = await to_thread.run_sync(platform.metrics.render, versions, accept, limiter=_THREADS)
    return Response(body, media_type=content_type)
