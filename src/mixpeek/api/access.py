"""What routes depend on: the platform, the caller, the namespace."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParam
from fastapi.routing import APIRoute

from mixpeek.api.platform import Platform
from mixpeek.errors import AccessError, InvalidRequest
from mixpeek.tenancy.models import Namespace, Principal
from mixpeek.tenancy.service import get_namespace


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(_platform)]


def refuse_unknown_query(request: Request) -> None:
    """Refuse query parameters the route does not know; a misspelt one would otherwise change nothing, silently."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = {param.alias for param in get_flat_params(route.dependant) if isinstance(param.field_info, QueryParam)}
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"Did you mean `{near[0]}`?" if near else f"It takes: {', '.join(sorted(known)) or 'none'}"
            raise InvalidRequest(f"Unknown query parameter {name!r}", hint=advice, parameter=name)


def _requires(permission: str) -> Callable[..., Principal]:
    def principal(platform: PlatformDep, authorization: Annotated[str | None, Header()] = None) -> Principal:
        caller = platform.keyring.authenticate(authorization)
        if not caller.may(permission):
            raise AccessError(
                f"Key {caller.name!r} may not {permission} here", hint=f"Use a key with the `{permission}` permission"
            )
        return caller

    return principal


Reader = Annotated[Principal, Depends(_requires("read"))]
Writer = Annotated[Principal, Depends(_requires("write"))]
Deleter = Annotated[Principal, Depends(_requires("delete"))]
Admin = Annotated[Principal, Depends(_requires("admin"))]


def _namespace_in_header(
    platform: PlatformDep,
    caller: Reader,
    x_namespace: Annotated[str | None, Header(description="Namespace id or name")] = None,
    namespace: Annotated[str | None, Query(description="Namespace id or name, where no header can be sent")] = None,
) -> Namespace:
    identifier = x_namespace or namespace
    if not identifier:
        raise InvalidRequest("No namespace was named", hint="Send the header `X-Namespace: <namespace id or name>`")
    with platform.database.transaction() as connection:
        return get_namespace(connection, caller.organization_id, identifier)


def _namespace_in_path(platform: PlatformDep, caller: Reader, namespace_id: Annotated[str, Path()]) -> Namespace:
    with platform.database.transaction() as connection:
        return get_namespace(connection, caller.organization_id, namespace_id)


# The namespace a request names: by header on most routes, in the path on the plugins surface.
HeaderNamespace = Annotated[Namespace, Depends(_namespace_in_header)]
PathNamespace = Annotated[Namespace, Depends(_namespace_in_path)]
