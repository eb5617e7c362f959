"""What plugins print and log: in pages, or followed as server-sent events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from mixpeek.api.access import Admin, PathNamespace, PlatformDep
from mixpeek.api.answers import answers
from mixpeek.api.log_stream import Reading
from mixpeek.api.paging import Page
from mixpeek.api.platform import Platform
from mixpeek.api.responses import json_response
from mixpeek.api.schemas.plugin_logs import PluginLogPage
from mixpeek.db.pool import Connection
from mixpeek.errors import InvalidRequest, NotFound
from mixpeek.plugin_logs import queries
from mixpeek.plugin_logs.models import LogFilter
from mixpeek.registry import library
from mixpeek.registry import queries as registry_queries
from mixpeek.tenancy.models import Principal
from mixpeek.tenancy.service import get_visible_namespace

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/{plugin_id}", tags=["plugins"])
organization_router = APIRouter(prefix="/v1/plugins/{plugin_id}", tags=["organization plugins"])

_BIGGEST_ID = 2**63 - 1
EVENTS = {
    "schema": {"type": "string", "description": "With `follow`: one event a line, its `id` and its JSON."},
    "example": 'id: 7\ndata: {"id": 7, "level": "info", "message": "model loaded", …}\n\n',
}


@dataclass(frozen=True)
class _Wanted:
    """What the query asks for."""

    deployment_id: str | None
    level: str | None
    source: str | None
    since: AwareDatetime | None
    limit: int
    before: int | None
    follow: bool
    after: int | None

    def of(self, namespace_id: str, plugin_id: str) -> LogFilter:
        return LogFilter(namespace_id, plugin_id, self.deployment_id, self.source, self.level, self.since)


async def _wanted(
    deployment_id: Annotated[str | None, Query(description="Only lines of this deployment's hosts.")] = None,
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"] | None, Query(description="The least level.")
    ] = None,
    source: Annotated[
        Literal["realtime", "gate", "batch", "test"] | None, Query(description="What the host was for.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Lines of this moment or later.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query()] = None,
    follow: Annotated[
        bool, Query(description="Stay, and send the latest lines and every new one as server-sent events.")
    ] = False,
    last_event_id: Annotated[str | None, Header(description="With `follow`: begin behind the line of this id.")] = None,
) -> _Wanted:
    before = _number(Page(limit, cursor).after, "cursor")
    return _Wanted(deployment_id, level, source, since, limit, before, follow, _number(last_event_id, "Last-Event-ID"))


WantedDep = Annotated[_Wanted, Depends(_wanted)]


def _number(text: str | None, name: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _BIGGEST_ID:
        raise InvalidRequest(f"The {name} is not one of this log's", hint=f"Start without a {name}")
    return int(text)


@router.get("/logs", **answers(PluginLogPage, operation_id="list_plugin_logs", also={"text/event-stream": EVENTS}))
async def list_logs(
    platform: PlatformDep,
    namespace: PathNamespace,
    plugin_id: str,
    wanted: WantedDep,
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """Return the latest lines a version's hosts printed and logged, or follow them."""

    def check(connection: Connection, caller: Principal) -> None:
        get_visible_namespace(connection, caller, namespace.namespace_id)
        _check_known(connection, namespace.namespace_id, plugin_id)

    asked = wanted.of(namespace.namespace_id, plugin_id)
    return await _answer(Reading(platform, asked, authorization, check), wanted)


@organization_router.get(
    "/logs", **answers(PluginLogPage, operation_id="list_organization_plugin_logs", also={"text/event-stream": EVENTS})
)
async def list_organization_logs(
    platform: PlatformDep,
    caller: Admin,
    plugin_id: str,
    wanted: WantedDep,
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """Return the lines of a shared plugin's realtime hosts, which every namespace that enabled it asks."""

    def check(connection: Connection, _: Principal) -> None:
        _check_known(connection, shared, plugin_id)

    shared = await run_in_threadpool(_library_id, platform, caller.organization_id)
    return await _answer(Reading(platform, wanted.of(shared, plugin_id), authorization, check), wanted)


async def _answer(reading: Reading, wanted: _Wanted) -> Response:
    if not wanted.follow:
        return json_response(await run_in_threadpool(reading.page, wanted.limit, wanted.before))
    reading.platform.log_followers.check_room()
    if wanted.after is None:
        found = await run_in_threadpool(reading.latest, wanted.limit)
        position = found[-1].id if found else 0
    else:
        found, position = await run_in_threadpool(reading.after, wanted.after)
    events = reading.events(found, position)
    # Told to proxies as well: a line that waits in a buffer is not followed.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _library_id(platform: Platform, organization_id: str) -> str:
    with platform.database.transaction() as connection:
        return library.library_of(connection, organization_id).namespace_id


def _check_known(connection: Connection, namespace_id: str, plugin_id: str) -> None:
    """Raise NotFound for a plugin that is not here and left no line: an upload that was refused did."""
    if registry_queries.find_version(connection, namespace_id, plugin_id) is None and not queries.has_lines(
        connection, namespace_id, plugin_id
    ):
        raise NotFound("plugin", plugin_id, hint="`mixpeek plugin list` shows what this namespace has")
