"""Whether the server is ready, and what runs behind it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mixpeek import __version__
from mixpeek.api.access import PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.schemas.health import ServerHealth, ServerLiveness
from mixpeek.db.pool import scalar
from mixpeek.db.processes import list_alive

router = APIRouter(prefix="/v1/health", tags=["health"])


@router.get("", **answers(ServerHealth, 503, checked=True, operation_id="get_health"))
def health(platform: PlatformDep) -> dict[str, Any]:
    """Answer 200 once requests can be served; `data` says what is behind it."""
    with platform.database.transaction() as connection:
        scalar(connection, "SELECT 1")
        roles = [process["role"] for process in list_alive(connection)]
    warnings = [] if platform.sandbox.mode == "bubblewrap" else [f"Plugins run unsandboxed: {platform.sandbox.detail}"]
    return {
        "status": "OK",
        "data": {
            "database": True,
            "worker": "worker" in roles,
            "sandbox": platform.sandbox.mode,
            "replicas": platform.replicas.describe(),
        },
        "errors": warnings,
        "meta": {"version": __version__},
    }


@router.get("/liveness", **answers(ServerLiveness, checked=True, operation_id="get_liveness"))
def liveness() -> dict[str, str]:
    """Answer 200 while the process runs at all."""
    return {"status": "OK"}
