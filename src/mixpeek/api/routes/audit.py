"""The audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from mixpeek.api.access import Admin, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.paging import PageDep, wire_page
from mixpeek.api.schemas.audit import AuditPage
from mixpeek.audit.models import Filters
from mixpeek.audit.queries import list_events
from mixpeek.errors import InvalidRequest

router = APIRouter(prefix="/v1/organizations/audit", tags=["audit"])


@router.get("/logs", **answers(AuditPage, checked=True))
def list_audit_events(
    platform: PlatformDep,
    caller: Admin,
    page: PageDep,
    resource_type: Annotated[str | None, Query()] = None,
    resource_id: Annotated[str | None, Query()] = None,
    action: Annotated[str | None, Query()] = None,
    actor_id: Annotated[str | None, Query(description="Id or name of the key that acted.")] = None,
    status: Annotated[Literal["success", "refused", "failed"] | None, Query()] = None,
    namespace_id: Annotated[str | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(description="Events at this moment or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Events before this moment.")] = None,
) -> dict[str, Any]:
    """List changes and refused attempts, newest first."""
    if page.after and not page.after.isdecimal():
        raise InvalidRequest("The cursor is not one of this list's", hint="Start without a cursor")
    before = int(page.after) if page.after else None
    filters = Filters(resource_type, resource_id, action, actor_id, status, namespace_id, since, until)
    with platform.database.transaction() as connection:
        found = list_events(connection, caller.organization_id, filters, page.limit, before)
    return wire_page(page, [event.wire() for event in found], str(found[-1].entry) if found else None)
