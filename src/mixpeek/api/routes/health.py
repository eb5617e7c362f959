"""Whether the server is ready, and what runs behind it."""

from __future__ import annotations

import dataclasses
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter

from mixpeek import __version__
from mixpeek.api.access import PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.platform import Platform
from mixpeek.api.schemas.health import ServerHealth, ServerLiveness
from mixpeek.db.pool import scalar
from mixpeek.db.processes import list_alive
from mixpeek.execution import sandbox

router = APIRouter(prefix="/v1/health", tags=["health"])

# Threads of its own: those that requests share may all be waiting, for plugins that do not answer among others.
_THREADS = CapacityLimiter(4)


@router.get("", **answers(ServerHealth, 503, checked=True, operation_id="get_health"))
async def health(platform: PlatformDep) -> dict[str, Any]:
    """Answer 200 once requests can be served; `data` says what is behind it."""
    return await to_thread.run_sync(_look, platform, limiter=_THREADS)


def _look(platform: Platform) -> dict[str, Any]:
    with platform.database.transaction() as connection:
        scalar(connection, "SELECT 1")
        roles = [process["role"] for process in list_alive(connection)]
        faults = platform.vault.faults(connection)
    warning = sandbox.warning(platform.sandbox)
    warnings = [] if warning is None else [warning]
    away = platform.objects_watch.fault()
    if away is not None:
        faults.append(away)
    return {
        "status": "OK",
        "data": {
            "database": True,
            "objects": away is None,
            "worker": "worker" in roles,
            "sandbox": platform.sandbox.mode,
            "sandbox_detail": platform.sandbox.detail,
            "egress": dataclasses.asdict(platform.egress),
            "replicas": platform.replicas.describe(),
        },
        "errors": warnings + faults,
        "meta": {"version": __version__},
    }


@router.get("/liveness", **answers(ServerLiveness, checked=True, operation_id="get_liveness"))
async def liveness() -> dict[str, str]:
    """Answer 200 while the process runs at all."""
    return {"status": "OK"}
