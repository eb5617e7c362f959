"""What routes depend on: the platform, the caller with its permission, the namespace within the caller's scope.

A route names the permission it takes (`Reader`, `Writer`, `Deleter`, `Admin`). `Admin` manages the organization, so a
key scoped to namespaces never is one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParam
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from mixpeek.api.platform import Platform
from mixpeek.db.origin import Origin, origin
from mixpeek.errors import AccessError, InvalidRequest, NotFound
from mixpeek.tenancy.models import PERMISSIONS, Namespace, Principal
from mixpeek.tenancy.service import get_visible_namespace

# What each permission's dependency demands, so that a route can be asked what it takes.
_DEMANDS: dict[Callable[..., Any], str] = {}


# Dependencies that never wait are coroutines: an ordinary function would cost each request a thread. They read the
# request themselves: what depends on nothing further is analysed quickly, and FastAPI analyses it for each route anew.
async def _platform(request: Request) -> Platform:
    return _platform_of(request)


def _platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(_platform)]


async def refuse_unknown_query(request: Request) -> None:
    """Refuse query parameters the route does not know; a misspelt one would otherwise change nothing, silently."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = {param.alias for param in get_flat_params(route.dependant) if isinstance(param.field_info, QueryParam)}
    for name in request.query_params:
        if name not in known:
            raise unknown_query(name, known)


def unknown_query(name: str, known: set[str]) -> InvalidRequest:
    """Return the refusal of a query parameter, with the known one it may stand for."""
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean `{near[0]}`?" if near else f"It takes: {', '.join(sorted(known)) or 'none'}"
    return InvalidRequest(f"Unknown query parameter {name!r}", hint=advice, parameter=name)


async def _caller(request: Request) -> Principal:
    keyring = _platform_of(request).keyring
    authorization = request.headers.get("authorization")
    caller = keyring.recall(authorization)
    if caller is None:
        caller = await run_in_threadpool(keyring.authenticate, authorization)
    cause = origin.get()
    if cause is not None:
        name_actor(cause, caller)
    return caller


def _requires(permission: str) -> Callable[..., Any]:
    async def principal(request: Request) -> Principal:
        caller = await _caller(request)
        if not caller.may(permission):
            raise AccessError(
                f"Key {caller.name!r} may not {permission} here", hint=f"Use a key with the `{permission}` permission"
            )
        if permission == "admin" and caller.namespaces is not None:
            raise AccessError(
                f"Key {caller.name!r} is scoped to namespaces", hint="Use an admin key that is not scoped to namespaces"
            )
        cause = origin.get()
        if cause is not None and permission != "read":
            cause.writes = True
        return caller

    _DEMANDS[principal] = permission
    return principal


_admin = _requires("admin")


async def _scraper(request: Request) -> None:
    """Let who reads the metrics pass: an admin's key, unless the operator opened or closed them."""
    platform = _platform_of(request)
    if platform.settings.metrics == "off":
        raise NotFound("route", "/metrics", hint="MIXPEEK_METRICS=off closes it; `key` or `open` opens it")
    if platform.settings.metrics == "key":
        await _admin(request)


_DEMANDS[_scraper] = "admin"


def permission_of(dependant: Dependant) -> str | None:
    """Return the highest permission that a route's dependencies demand, None if they demand no key."""
    demanded = [_DEMANDS[dependant.call]] if dependant.call in _DEMANDS else []
    demanded += [found for each in dependant.dependencies if (found := permission_of(each))]
    return max(demanded, key=PERMISSIONS.index, default=None)


def name_actor(cause: Origin, caller: Principal) -> None:
    """Write down whose request this is."""
    cause.actor_type, cause.actor_id, cause.actor_name = "api_key", caller.key_id, caller.name
    cause.organization_id = caller.organization_id


Reader = Annotated[Principal, Depends(_requires("read"))]
Writer = Annotated[Principal, Depends(_requires("write"))]
Deleter = Annotated[Principal, Depends(_requires("delete"))]
Admin = Annotated[Principal, Depends(_admin)]
Scraper = Annotated[None, Depends(_scraper)]


def _namespace_in_header(
    request: Request,
    caller: Reader,
    x_namespace: Annotated[str | None, Header(description="Namespace id or name")] = None,
    namespace: Annotated[str | None, Query(description="Namespace id or name, where no header can be sent")] = None,
) -> Namespace:
    return _visible_namespace(_platform_of(request), caller, _identifier(x_namespace, namespace))


async def _remembered_namespace(
    request: Request,
    caller: Reader,
    x_namespace: Annotated[str | None, Header(description="Namespace id or name")] = None,
    namespace: Annotated[str | None, Query(description="Namespace id or name, where no header can be sent")] = None,
) -> str:
    identifier = _identifier(x_namespace, namespace)
    addresses = _platform_of(request).addresses
    found = addresses.recall(caller, identifier)
    if found is None:
        found = await run_in_threadpool(addresses.find, caller, identifier)
    cause = origin.get()
    if cause is not None:
        cause.namespace_id = found
    return found


def _identifier(in_header: str | None, in_query: str | None) -> str:
    identifier = in_header or in_query
    if not identifier:
        raise InvalidRequest("No namespace was named", hint="Send the header `X-Namespace: <namespace id or name>`")
    return identifier


def _named_namespace(
    request: Request,
    caller: Reader,
    x_namespace: Annotated[str | None, Header(description="Namespace id or name")] = None,
    namespace: Annotated[str | None, Query(description="Namespace id or name, where no header can be sent")] = None,
) -> Namespace | None:
    identifier = x_namespace or namespace
    return _visible_namespace(_platform_of(request), caller, identifier) if identifier else None


def _namespace_in_path(request: Request, caller: Reader, namespace_id: Annotated[str, Path()]) -> Namespace:
    return _visible_namespace(_platform_of(request), caller, namespace_id)


def _visible_namespace(platform: Platform, caller: Principal, identifier: str) -> Namespace:
    with platform.database.transaction() as connection:
        namespace = get_visible_namespace(connection, caller, identifier)
    cause = origin.get()
    if cause is not None:
        cause.namespace_id = namespace.namespace_id
    return namespace


# The namespace a request names: by header on most routes, in the path on the plugins surface.
HeaderNamespace = Annotated[Namespace, Depends(_namespace_in_header)]
# Its id only, remembered for a second: for routes that are asked so often that looking it up counts.
HeaderNamespaceId = Annotated[str, Depends(_remembered_namespace)]
NamedNamespace = Annotated[Namespace | None, Depends(_named_namespace)]
PathNamespace = Annotated[Namespace, Depends(_namespace_in_path)]
